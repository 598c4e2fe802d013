"use client";

import { Plus, X } from "lucide-react";
import { Button, IconButton } from "#components/ui/button.tsx";
import { Input } from "#components/ui/field.tsx";

const MOST = 20;

export type TagRow = { readonly key: number; readonly name: string; readonly value: string };

type TagsFieldProps = { tags: readonly TagRow[]; onChange: (tags: readonly TagRow[]) => void };

/** Names and values that a device is given once it comes. */
export function TagsField({ tags, onChange }: TagsFieldProps) {
  const change = (key: number, part: Partial<TagRow>) =>
    onChange(tags.map((tag) => (tag.key === key ? { ...tag, ...part } : tag)));
  const double = doubleOf(tags);
  return (
    <fieldset className="grid gap-1.5">
      <legend className="mb-1 font-medium">
        Tags<span className="font-normal text-ink-3"> (optional)</span>
      </legend>
      {tags.map(({ key, name, value }, index) => (
        <div key={key} className="flex items-center gap-1.5">
          <Input
            required
            aria-label={`Name of tag ${index + 1}`}
            placeholder="site"
            autoComplete="off"
            maxLength={20}
            pattern={String.raw`[\p{L}\p{N} _\-]{1,20}`}
            title="1 to 20 letters, digits, blanks, _ or -"
            value={name}
            onChange={(event) => change(key, { name: event.target.value })}
            className="min-w-0 basis-2/5"
          />
          <Input
            required
            aria-label={`Value of tag ${index + 1}`}
            placeholder="Ulm"
            autoComplete="off"
            maxLength={254}
            value={value}
            onChange={(event) => change(key, { value: event.target.value })}
            className="min-w-0 flex-1"
          />
          <IconButton
            label={`Remove tag ${index + 1}`}
            icon={<X aria-hidden />}
            onClick={() => onChange(tags.filter((tag) => tag.key !== key))}
          />
        </div>
      ))}
      {double === undefined ? null : (
        <p role="alert" className="text-sm text-bad">
          There are two tags of the name {double}.
        </p>
      )}
      <div>
        <Button
          size="sm"
          disabled={tags.length >= MOST}
          onClick={() => onChange([...tags, { key: (tags.at(-1)?.key ?? 0) + 1, name: "", value: "" }])}
        >
          <Plus aria-hidden />
          Add a tag
        </Button>
      </div>
    </fieldset>
  );
}

/** As calls want them; null while a name stands there twice. */
export function tagsOf(tags: readonly TagRow[]): Record<string, string> | null {
  if (doubleOf(tags) !== undefined) return null;
  return Object.fromEntries(tags.map(({ name, value }) => [name.trim(), value.trim()]));
}

function doubleOf(tags: readonly TagRow[]): string | undefined {
  const names = tags.map(({ name }) => name.trim());
  return names.find((name, index) => name !== "" && names.indexOf(name) !== index);
}
