/**
 * Sets what Next and next-auth read from the environment as they load; call it before either is imported. Both have the
 * public address from here and never from a request's Host.
 */
export function prepareConsoleEnvironment(values: { publicUrl: string; authSecret: string; dev: boolean }): void {
  Object.assign(process.env, {
    NODE_ENV: values.dev ? "development" : "production",
    NEXTAUTH_URL: values.publicUrl,
    NEXTAUTH_SECRET: values.authSecret,
    NEXT_TELEMETRY_DISABLED: "1",
  });
}

/** Whether pages are built as they are asked for, by `npm run dev`. */
export function isDevelopment(): boolean {
  return process.env.NODE_ENV === "development";
}
