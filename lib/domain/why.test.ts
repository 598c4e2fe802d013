import { describe, expect, it } from "vitest";
import { explain, type WhyFacts } from "./why.ts";

const now = new Date("2026-03-01T12:00:00Z");
const earlier = (seconds: number) => new Date(now.getTime() - seconds * 1_000);

function facts(change: Partial<WhyFacts> = {}): WhyFacts {
  return {
    status: "up_to_date",
    statusAt: earlier(60),
    createdAt: earlier(86_400 * 3),
    certificate: { state: "allowed", notAfter: new Date("2027-03-01T12:00:00Z") },
    lastSeenAt: earlier(4 * 3_600),
    lastManifestAt: earlier(120),
    ecuCount: 1,
    registrationRefusal: null,
    assignment: null,
    mayStillInstall: false,
    lastFailure: null,
    ...change,
  };
}
const assigned = { filenames: ["app_2"], assignedAt: earlier(120), fetchedAt: null };
const fetched = { ...assigned, fetchedAt: earlier(30) };

function results(change: Partial<WhyFacts>): Record<string, string> {
  return Object.fromEntries(explain(facts(change), now).reasons.map(({ check, result }) => [check, result]));
}
const summary = (change: Partial<WhyFacts>) => explain(facts(change), now).summary;

describe("explain", () => {
  it("keeps the order of the path, one check each", () => {
    const order = ["certificate", "contact", "registration", "assignment", "metadata", "download", "install"];
    expect(explain(facts(), now).reasons.map(({ check }) => check)).toEqual(order);
  });

  it("says when a device that is up to date last reported", () => {
    expect(summary({})).toBe("Up to date: nothing is assigned, last report 2 min ago.");
    expect(Object.values(results({}))).not.toContain("bad");
  });

  it("waits for the first contact of a device that was never seen", () => {
    const change: Partial<WhyFacts> = { status: "never_seen", lastSeenAt: null, lastManifestAt: null, ecuCount: 0 };
    expect(summary(change)).toBe("Waiting for its first contact: created 3 d ago, never seen.");
    expect(results(change)).toMatchObject({ contact: "waiting", registration: "waiting", install: "unknown" });
  });

  it("waits for a device with an assignment to ask, and says when it was last seen", () => {
    const change: Partial<WhyFacts> = { status: "assigned", assignment: assigned };
    expect(summary(change)).toBe("Waiting for it to ask: assigned 2 min ago, last seen 4 h ago.");
    expect(results(change)).toMatchObject({ assignment: "ok", metadata: "waiting", download: "waiting" });
  });

  it("says never seen of an assigned device without contact", () => {
    expect(summary({ status: "assigned", assignment: assigned, lastSeenAt: null })).toContain("never seen");
  });

  it("expects the download once the metadata was fetched", () => {
    const change: Partial<WhyFacts> = { status: "assigned", assignment: fetched };
    expect(summary(change)).toBe("It fetched the update 30 s ago: the download is next.");
    expect(results(change)).toMatchObject({ metadata: "ok", download: "waiting" });
  });

  it("names what it downloads and expects the installation", () => {
    const change: Partial<WhyFacts> = { status: "downloading", assignment: fetched };
    expect(summary(change)).toBe("Downloading app_2, begun 1 min ago: installing is next.");
    expect(results(change)).toMatchObject({ download: "waiting", install: "waiting" });
  });

  it("expects the signed report of an installation", () => {
    const change: Partial<WhyFacts> = { status: "installing", assignment: fetched };
    expect(summary(change)).toContain("its signed report is next");
    expect(results(change)).toMatchObject({ download: "ok", install: "waiting" });
  });

  it("waits for the reboot", () => {
    expect(summary({ status: "rebooting", assignment: fetched })).toContain("waiting for its reboot");
  });

  it("gives code and text of a failure, at the installation", () => {
    const change: Partial<WhyFacts> = {
      status: "failed",
      lastFailure: { code: "rpi4:INSTALL_FAILED", text: "disk full", at: earlier(7_200) },
    };
    expect(summary(change)).toBe(
      "Failed 2 h ago: rpi4:INSTALL_FAILED: disk full. It tries again when a new update is launched.",
    );
    expect(results(change)).toMatchObject({ download: "ok", install: "bad" });
  });

  it("leaves a device's own code as it came", () => {
    const failed = facts({ status: "failed", lastFailure: { code: "rpi4:INSTALL_FAILED", text: null, at: now } });
    const { reasons } = explain(failed, now);
    expect(reasons.find(({ check }) => check === "install")?.text).toBe("rpi4:INSTALL_FAILED.");
  });

  it("puts a failed download at the download", () => {
    const change: Partial<WhyFacts> = {
      status: "failed",
      lastFailure: { code: "DOWNLOAD_FAILED", text: null, at: earlier(7_200) },
    };
    expect(results(change)).toMatchObject({ download: "bad", install: "ok" });
  });

  it("says that a device may still install what was cancelled too late", () => {
    const change: Partial<WhyFacts> = { status: "unknown", mayStillInstall: true, assignment: fetched };
    expect(summary(change)).toContain("may still install");
    expect(results(change)).toMatchObject({ assignment: "unknown", install: "unknown" });
  });

  it("says that it does not know", () => {
    expect(summary({ status: "unknown" })).toContain("Unknown");
    expect(results({ status: "unknown" })).toMatchObject({ install: "unknown" });
  });

  it.each(["held", "superseded", "revoked", "expired", "rejected"] as const)(
    "puts a certificate that is %s before everything else",
    (state) => {
      const change: Partial<WhyFacts> = {
        status: "assigned",
        assignment: assigned,
        certificate: { state, notAfter: null },
      };
      expect(summary(change)).toContain("The door refuses it");
      expect(results(change)).toMatchObject({ certificate: "bad" });
    },
  );

  it("waits for the approval of a pending certificate", () => {
    const change: Partial<WhyFacts> = { certificate: { state: "pending", notAfter: null } };
    expect(summary(change)).toContain("Waiting for approval");
    expect(results(change)).toMatchObject({ certificate: "waiting" });
  });

  it("does not judge a certificate it does not know", () => {
    expect(results({ certificate: null })).toMatchObject({ certificate: "unknown" });
    expect(summary({ certificate: null })).toContain("Up to date");
  });

  it.each(["replace_ecu_assignment_exists", "ecu_reuse_not_allowed", "something_new"])(
    "shows the refusal %s of its ECU registration",
    (registrationRefusal) => {
      expect(summary({ registrationRefusal })).toContain("Its ECU registration is refused");
      expect(results({ registrationRefusal })).toMatchObject({ registration: "bad" });
    },
  );
});
