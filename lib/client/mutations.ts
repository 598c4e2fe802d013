import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ChangeUser, CreateToken, CreateUser } from "#lib/contracts/console/accounts.ts";
import type { BuildCredentials, CreateProvisioningCredential } from "#lib/contracts/console/credentials.ts";
import type { Device, IssueDevice } from "#lib/contracts/console/devices.ts";
import type { CreateEnrolmentToken } from "#lib/contracts/console/enrolment.ts";
import type { RepositoryName } from "#lib/contracts/console/keys.ts";
import type { CreateMachineClient } from "#lib/contracts/console/machine-clients.ts";
import type { AddSignature } from "#lib/contracts/console/openpgp.ts";
import type { CreateRenewalCampaign } from "#lib/contracts/console/renewal-campaigns.ts";
import type { CreateUpdate, Update } from "#lib/contracts/console/updates.ts";
import { api } from "./api.ts";
import { keys } from "./keys.ts";

/* One hook a change. The server's events reach the page too, a moment later; these make it true at once. */

/** Has these areas read again. */
export function useRefresh(...areas: readonly (readonly string[])[]) {
  const queryClient = useQueryClient();
  return () => {
    // Not waited for: the dialog closes when the change is made, not when every list has come again.
    for (const queryKey of areas) void queryClient.invalidateQueries({ queryKey });
  };
}

export function useRenameDevice(uuid: string) {
  const queryClient = useQueryClient();
  const refresh = useRefresh(keys.devices.all, keys.certificates.all);
  return useMutation({
    mutationFn: (name: string) => api.renameDevice(uuid, name),
    onSuccess: (device: Device) => {
      queryClient.setQueryData(keys.devices.one(uuid), device);
      return refresh();
    },
  });
}

export function useDeleteDevice(uuid: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () => api.deleteDevice(uuid),
    // The page of the device is still open here; asking for what is gone would only show an error on the way out.
    onSuccess: () => {
      void queryClient.invalidateQueries({
        predicate: ({ queryKey }) => queryKey[0] === "devices" && (queryKey[1] === "list" || queryKey[1] === "facets"),
      });
    },
  });
}

export function useIssueDevice() {
  const refresh = useRefresh(keys.devices.all, keys.certificates.all);
  // Holds a private key: gone from memory as soon as the dialog is.
  return useMutation({ mutationFn: (body: IssueDevice) => api.issueDevice(body), onSuccess: refresh, gcTime: 0 });
}

export function useStartSimulation() {
  const refresh = useRefresh(keys.devices.all, keys.simulations.all, keys.certificates.all);
  return useMutation({
    mutationFn: (body: { name?: string; hardwareId?: string; secondaries?: number }) => api.startSimulation(body),
    onSuccess: refresh,
  });
}

export function useStopSimulation() {
  const refresh = useRefresh(keys.devices.all, keys.simulations.all);
  return useMutation({ mutationFn: (uuid: string) => api.stopSimulation(uuid), onSuccess: refresh });
}

export function useCreateProvisioningCredential() {
  const refresh = useRefresh(keys.certificates.all);
  const onError = useRefresh(keys.deviceGroups.all);
  // Holds a private key: gone from memory as soon as the dialog is.
  return useMutation({
    mutationFn: (body: CreateProvisioningCredential) => api.createProvisioningCredential(body),
    onSuccess: refresh,
    // Perhaps the group it names is gone.
    onError,
    gcTime: 0,
  });
}

export function useRevokeProvisioningCredential() {
  const refresh = useRefresh(keys.certificates.all);
  return useMutation({ mutationFn: (id: string) => api.revokeProvisioningCredential(id), onSuccess: refresh });
}

export function useCreateEnrolmentToken() {
  const refresh = useRefresh(keys.certificates.all);
  const onError = useRefresh(keys.deviceGroups.all);
  // Holds the token's secret: gone from memory as soon as the dialog is.
  return useMutation({
    mutationFn: (body: CreateEnrolmentToken) => api.createEnrolmentToken(body),
    onSuccess: refresh,
    onError,
    gcTime: 0,
  });
}

export function useRevokeEnrolmentToken() {
  const refresh = useRefresh(keys.certificates.all);
  return useMutation({ mutationFn: (id: string) => api.revokeEnrolmentToken(id), onSuccess: refresh });
}

export function useBuildCredentials() {
  // Holds a client's secret: gone from memory as soon as the dialog is.
  return useMutation({ mutationFn: (body: BuildCredentials) => api.buildCredentials(body), gcTime: 0 });
}

export function useLaunchUpdate() {
  const refresh = useRefresh(keys.updates.all, keys.devices.all);
  return useMutation({
    mutationFn: (body: Omit<CreateUpdate, "dryRun">) => api.launchUpdate(body),
    onSuccess: refresh,
  });
}

export function useCancelUpdate(id: string) {
  const queryClient = useQueryClient();
  const refresh = useRefresh(keys.updates.all, keys.devices.all);
  return useMutation({
    mutationFn: () => api.cancelUpdate(id),
    onSuccess: (update: Update) => {
      queryClient.setQueryData(keys.updates.one(id), update);
      return refresh();
    },
  });
}

export function useDeleteImage() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (filename: string) => api.deleteImage(filename),
    // As with a device: its own page must not ask for what is gone.
    onSuccess: () =>
      queryClient.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "images" && queryKey[1] !== "one" }),
  });
}

export function useVerifyImage(filename: string) {
  const refresh = useRefresh(keys.images.all, keys.overview.all);
  return useMutation({ mutationFn: () => api.verifyImage(filename), onSuccess: refresh });
}

export function useAddImageSignature(filename: string) {
  const refresh = useRefresh(keys.images.all);
  return useMutation({ mutationFn: (body: AddSignature) => api.addImageSignature(filename, body), onSuccess: refresh });
}

export function useAddOpenpgpKey() {
  const refresh = useRefresh(keys.images.all);
  return useMutation({ mutationFn: (armored: string) => api.addOpenpgpKey(armored), onSuccess: refresh });
}

export function useRemoveOpenpgpKey() {
  const refresh = useRefresh(keys.images.all);
  return useMutation({ mutationFn: (fingerprint: string) => api.removeOpenpgpKey(fingerprint), onSuccess: refresh });
}

export function useCreateUser() {
  const refresh = useRefresh(keys.users.all);
  return useMutation({ mutationFn: (body: CreateUser) => api.createUser(body), onSuccess: refresh });
}

export function useChangeUser(id: string) {
  const refresh = useRefresh(keys.users.all);
  return useMutation({ mutationFn: (body: ChangeUser) => api.changeUser(id, body), onSuccess: refresh });
}

export function useSignOutUser(id: string) {
  const refresh = useRefresh(keys.users.all);
  return useMutation({ mutationFn: () => api.signOutUser(id), onSuccess: refresh });
}

export function useDeleteUser(id: string) {
  const refresh = useRefresh(keys.users.all, keys.tokens.all);
  return useMutation({ mutationFn: () => api.deleteUser(id), onSuccess: refresh });
}

export function useCreateToken() {
  const refresh = useRefresh(keys.tokens.all);
  // Holds the token's text: gone from memory as soon as the dialog is.
  return useMutation({ mutationFn: (body: CreateToken) => api.createToken(body), onSuccess: refresh, gcTime: 0 });
}

export function useRevokeToken() {
  const refresh = useRefresh(keys.tokens.all);
  return useMutation({ mutationFn: (id: string) => api.revokeToken(id), onSuccess: refresh });
}

export function useCreateMachineClient() {
  const refresh = useRefresh(keys.machineClients.all);
  // Holds the secret: gone from memory as soon as the dialog is.
  return useMutation({
    mutationFn: (body: CreateMachineClient) => api.createMachineClient(body),
    onSuccess: refresh,
    gcTime: 0,
  });
}

export function useRevokeMachineClient() {
  const refresh = useRefresh(keys.machineClients.all);
  return useMutation({ mutationFn: (id: string) => api.revokeMachineClient(id), onSuccess: refresh });
}

export function useCheckHeaderMode() {
  const refresh = useRefresh(keys.backends.headerMode);
  return useMutation({ mutationFn: () => api.checkHeaderMode(), onSuccess: refresh });
}

/** Trying changes nothing: it is asked anew for every dialog. */
export function useRehearseRotation(repository: RepositoryName) {
  return useMutation({ mutationFn: () => api.rotateKeys(repository, { rehearseOnly: true }) });
}

export function useRotateKeys(repository: RepositoryName) {
  const refresh = useRefresh(keys.signingKeys.all, keys.images.all, keys.overview.all);
  return useMutation({ mutationFn: () => api.rotateKeys(repository, { rehearseOnly: false }), onSuccess: refresh });
}

/** A root, or targets with the checksum of those they replace; `rehearseOnly` has it judged and no more. */
export type SignedDocument = { document: string; checksum: string | null; rehearseOnly: boolean };

export function usePushDocument(repository: RepositoryName) {
  const refresh = useRefresh(keys.signingKeys.all, keys.images.all, keys.overview.all);
  return useMutation({
    mutationFn: ({ document, checksum, rehearseOnly }: SignedDocument) =>
      checksum === null
        ? api.pushRoot(repository, { document, rehearseOnly })
        : api.pushTargets({ document, checksum, rehearseOnly }),
    onSuccess: ({ done }) => (done ? refresh() : undefined),
  });
}

/** Asked for when it is to be saved, and not kept. */
export function useUnsignedRoot(repository: RepositoryName) {
  return useMutation({ mutationFn: () => api.getUnsignedRoot(repository), gcTime: 0 });
}

export function useTakeKeyOffline(repository: RepositoryName) {
  const refresh = useRefresh(keys.signingKeys.all, keys.images.all, keys.overview.all);
  return useMutation({
    mutationFn: (body: { keyId: string; confirm: string }) => api.takeKeyOffline(repository, body),
    onSuccess: refresh,
  });
}

export function useReSign(repository: RepositoryName) {
  const refresh = useRefresh(keys.signingKeys.all, keys.overview.all);
  return useMutation({ mutationFn: () => api.reSign(repository), onSuccess: refresh });
}

export function useCreateRenewalCampaign() {
  const refresh = useRefresh(keys.certificates.all);
  return useMutation({
    mutationFn: (body: CreateRenewalCampaign) => api.createRenewalCampaign(body),
    onSuccess: refresh,
  });
}

export function useCloseRenewalCampaign(id: string) {
  const refresh = useRefresh(keys.certificates.all);
  return useMutation({ mutationFn: () => api.closeRenewalCampaign(id), onSuccess: refresh });
}

export function useAcknowledgeNotice() {
  const refresh = useRefresh(keys.notices.all, keys.overview.all);
  return useMutation({ mutationFn: (id: string) => api.acknowledgeNotice(id), onSuccess: refresh });
}

export function useAdmitRefused(id: string) {
  const refresh = useRefresh(keys.refusals.all, keys.certificates.all, keys.devices.all);
  return useMutation({
    mutationFn: (body: { name?: string; note?: string }) => api.admitRefused(id, body),
    onSuccess: refresh,
  });
}
