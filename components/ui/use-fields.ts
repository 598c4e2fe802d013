import { type ChangeEvent, useState } from "react";

/** The texts of a form, and what ties a control to one of them. */
export type Fields<Name extends string> = {
  values: Readonly<Record<Name, string>>;
  bound: (name: Name) => {
    value: string;
    autoComplete: "off";
    onChange: (event: ChangeEvent<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>) => void;
  };
  set: (name: Name, value: string) => void;
};

export function useFields<Name extends string>(initial: Readonly<Record<Name, string>>): Fields<Name> {
  const [values, setValues] = useState(initial);
  const set = (name: Name, value: string) => setValues((now) => ({ ...now, [name]: value }));
  const bound = (name: Name) => ({
    value: values[name],
    autoComplete: "off" as const,
    onChange: ({ target }: ChangeEvent<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>) =>
      set(name, target.value),
  });
  return { values, bound, set };
}

/** What was filled in of these, without blanks around it: what calls leave out when it is empty. */
export function filledIn<Name extends string>(
  values: Readonly<Record<Name, string>>,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const given: Partial<Record<Name, string>> = {};
  for (const name of names) if (values[name].trim() !== "") given[name] = values[name].trim();
  return given;
}
