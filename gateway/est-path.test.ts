import { expect, it } from "vitest";
import { isEst, readEstPath } from "#gateway/est-path.ts";

it.each([
  ["/.well-known/est/cacerts", { operation: "cacerts", label: null }],
  ["/.well-known/est/simpleenroll?x=1", { operation: "simpleenroll", label: null }],
  ["/.well-known/est/Line%204/simplereenroll", { operation: "simplereenroll", label: "Line 4" }],
  ["/.well-known/est/cacerts/csrattrs", { operation: "csrattrs", label: "cacerts" }],
])("%s is one of the four operations", (url, path) => {
  expect(isEst(url)).toBe(true);
  expect(readEstPath(url)).toEqual(path);
});

it.each([
  "/.well-known/est/",
  "/.well-known/est/serverkeygen",
  "/.well-known/est/toString",
  "/.well-known/est/cacerts/",
  "/.well-known/est//cacerts",
  "/.well-known/est/a/b/cacerts",
  "/.well-known/est/%2e%2e/cacerts",
  "/.well-known/est/a%2fb/cacerts",
  "/.well-known/est/%00/cacerts",
])("%s is none", (url) => expect(readEstPath(url)).toBeNull());
