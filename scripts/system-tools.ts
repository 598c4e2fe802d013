import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";

/** What the tests call and npm does not bring: programs, and the Debian package of each. */
const TOOLS = {
  chromium: "chromium",
  nginx: "nginx-light",
  ostree: "ostree",
  openssl: "openssl",
  curl: "curl",
  gpg: "gnupg",
  mender: "mender-client",
  "mender-artifact": "mender-artifact",
};

/**
 * Installs missing tools where that is possible (Debian, as root); elsewhere says what is missing, and the tests that need
 * it fail with that in mind.
 */
export function ensureSystemTools(): void {
  const missing = Object.entries(TOOLS).filter(([program]) => !isInstalled(program));
  if (missing.length === 0) return;
  const packages = missing.map(([, debianPackage]) => debianPackage);
  if (process.getuid?.() !== 0 || !isInstalled("apt-get")) {
    console.error(`The tests need ${packages.join(", ")}: install these packages first.`);
    return;
  }
  console.log(`Installing ${packages.join(", ")}.`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  try {
    execFileSync("apt-get", ["update", "-qq"], { stdio: "inherit", env });
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], {
      stdio: "inherit",
      env,
    });
  } catch {
    console.error(`${packages.join(", ")} could not be installed; the tests that need them will fail.`);
  }
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env.PATH ?? "").split(path.delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
