import { useMutation, useQueryClient } from "@tanstack/react-query";
import type {
  Authority,
  ChangeAuthority,
  CreateAuthority,
  RevokeAuthority,
  UploadAuthority,
} from "#lib/contracts/console/authorities.ts";
import { api } from "./api.ts";
import { keys } from "./keys.ts";

/* One hook a change. What comes back is shown at once; everything drawn from authorities is asked for again. */

function useAuthorityMutation<Given>(mutationFn: (given: Given) => Promise<Authority>) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn,
    onSuccess: (authority) => {
      queryClient.setQueryData(keys.authorities.one(authority.id), authority);
      void queryClient.invalidateQueries({ queryKey: keys.authorities.all });
      void queryClient.invalidateQueries({ queryKey: keys.certificates.all });
    },
  });
}

export function useCreateAuthority() {
  return useAuthorityMutation((body: CreateAuthority) => api.createAuthority(body));
}

export function useUploadAuthority() {
  return useAuthorityMutation((body: UploadAuthority) => api.uploadAuthority(body));
}

export function useChangeAuthority(id: string) {
  return useAuthorityMutation((body: ChangeAuthority) => api.changeAuthority(id, body));
}

export function useProveAuthority(id: string) {
  return useAuthorityMutation((certificatePem: string) => api.proveAuthority(id, certificatePem));
}

export function useActOnAuthority(id: string) {
  return useAuthorityMutation((act: "close" | "reopen" | "issue-with") => api.actOnAuthority(id, act));
}

export function useRevokeAuthority(id: string) {
  return useAuthorityMutation((body: RevokeAuthority) => api.revokeAuthority(id, body));
}

export function useDeleteAuthority(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () => api.deleteAuthority(id),
    // Its own page must not ask for what is gone.
    onSuccess: () =>
      queryClient.invalidateQueries({
        predicate: ({ queryKey }) => queryKey[0] === "authorities" && queryKey[1] !== "one",
      }),
  });
}

function useServerCaMutation<Given>(mutationFn: (given: Given) => Promise<unknown>) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn,
    onSuccess: () => void queryClient.invalidateQueries({ queryKey: keys.authorities.all }),
  });
}

export function usePrepareServerCa() {
  return useServerCaMutation(() => api.prepareServerCa());
}

export function useSwitchServerCa() {
  return useServerCaMutation((devicesWithout: number) => api.switchServerCa(devicesWithout));
}

export function useCancelServerCa() {
  return useServerCaMutation((devicesWith: number) => api.cancelServerCa(devicesWith));
}
