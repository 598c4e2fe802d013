import { Card } from "#components/ui/card.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Tag } from "#components/ui/tag.tsx";

type Entry = {
  method: string;
  path: string;
  summary: string;
  who: string;
  status: number;
  query: string | null;
  body: string | null;
  reply: string;
};

/** The console's API, from the table that serves it. Plain markup: it needs no script to be read. */
export function ApiReference({ groups }: { groups: readonly { noun: string; entries: readonly Entry[] }[] }) {
  return (
    <>
      <PageHead
        title="API"
        meta={
          <>
            Everything the console does. Send a token as <code className="mono">Authorization: Bearer …</code> · errors
            are problem+json with a code and a request id ·{" "}
            <a href="/api/v1/openapi.json" className="link underline">
              openapi.json
            </a>
          </>
        }
      />
      <div className="grid max-w-4xl gap-5">
        {groups.map(({ noun, entries }) => (
          <Card key={noun} flush title={noun}>
            <ul>
              {entries.map((entry) => (
                <li key={`${entry.method} ${entry.path}`} className="border-b border-line px-3.5 py-2.5 last:border-0">
                  <EntryText entry={entry} />
                </li>
              ))}
            </ul>
          </Card>
        ))}
      </div>
    </>
  );
}

function EntryText({ entry }: { entry: Entry }) {
  const { method, path, summary, who, status } = entry;
  return (
    <>
      <p className="flex flex-wrap items-center gap-2">
        <Tag>{method}</Tag>
        <code className="mono wrap-anywhere">{path}</code>
      </p>
      <p className="mt-1">{summary}.</p>
      <p className="text-sm text-ink-3">
        For {who}. Answers {status}.
      </p>
      <div className="mt-1 flex flex-wrap gap-x-4">
        <Schema name="Query" text={entry.query} />
        <Schema name="Body" text={entry.body} />
        <Schema name="Reply" text={entry.reply} />
      </div>
    </>
  );
}

function Schema({ name, text }: { name: string; text: string | null }) {
  if (text === null) return null;
  return (
    <details className="min-w-0 open:basis-full">
      <summary className="cursor-pointer text-sm text-ink-2 hover:text-ink">{name}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0} className="mono mt-1 max-h-80 overflow-auto rounded-md border border-line bg-sunken p-2.5">
        {text}
      </pre>
    </details>
  );
}
