import type { ApiToken, ChangeUser, CreateToken, CreateUser, Me, User } from "#lib/contracts/console/accounts.ts";
import type { AuditEntry } from "#lib/contracts/console/audit.ts";
import type {
  Authority,
  ChangeAuthority,
  CreateAuthority,
  NewcomerRules,
  ProofOrder,
  RevokeAuthority,
  RulesPreview,
  UploadAuthority,
} from "#lib/contracts/console/authorities.ts";
import type { BackendList, BackendReport, BackendSummary } from "#lib/contracts/console/back-ends.ts";
import type { Certificate, CertificateDetail } from "#lib/contracts/console/certificates.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type {
  BuildCredentials,
  CreateProvisioningCredential,
  CredentialArchive,
  ProvisioningCredential,
} from "#lib/contracts/console/credentials.ts";
import type { DeviceGroup, DeviceGroupList } from "#lib/contracts/console/device-groups.ts";
import type {
  Activity,
  CredentialBundle,
  Device,
  DeviceFacets,
  DeviceHardware,
  IssueDevice,
  SimulatedDevice,
} from "#lib/contracts/console/devices.ts";
import type {
  CreateEnrolmentToken,
  EnrolmentHandout,
  EnrolmentToken,
  EstAddress,
} from "#lib/contracts/console/enrolment.ts";
import type { HeaderMode } from "#lib/contracts/console/header-mode.ts";
import type { Image } from "#lib/contracts/console/images.ts";
import type {
  KeyChange,
  KeyRepository,
  KeysOverview,
  PushRoot,
  PushTargets,
  RepositoryName,
} from "#lib/contracts/console/keys.ts";
import type { CreateMachineClient, MachineClient } from "#lib/contracts/console/machine-clients.ts";
import type { MenderDeviceReport, MenderLogEntry, MenderReport } from "#lib/contracts/console/mender.ts";
import type { Notice } from "#lib/contracts/console/notices.ts";
import type { AddSignature, OpenpgpKey } from "#lib/contracts/console/openpgp.ts";
import type { Overview } from "#lib/contracts/console/overview.ts";
import type { ExpiringDevice, Forecast, Posture, PostureCode, PostureFinding } from "#lib/contracts/console/posture.ts";
import type { Refusal, RefusalDetail, RefusalRate } from "#lib/contracts/console/refusals.ts";
import type {
  CampaignDevice,
  CreateRenewalCampaign,
  RenewalCampaign,
} from "#lib/contracts/console/renewal-campaigns.ts";
import type { GatewayList, InForce, Publication } from "#lib/contracts/console/revocation.ts";
import type { ServerCa, ServerCaDevice } from "#lib/contracts/console/server-ca.ts";
import type { CreateUpdate, Preview, Update, UpdateDevice, UpdateSummary } from "#lib/contracts/console/updates.ts";
import type { Upload } from "#lib/contracts/console/uploads.ts";
import { call } from "./fetcher.ts";
import type { ListParams } from "./keys.ts";

/** An image and its file, as an upload is begun. */
type NewUpload = { name: string; version: string; hardwareIds: readonly string[]; length: number; sha256: string };

type Signal = AbortSignal | undefined;
const at = encodeURIComponent;
const get = <T>(path: string, query: ListParams, signal: Signal) =>
  call<T>("GET", path, { query, ...(signal === undefined ? {} : { signal }) });
const post = <T>(path: string, body: unknown = {}) => call<T>("POST", path, { body });

/** The console API as the browser calls it: one function an endpoint, types from the contract, no schemas. */
export const api = {
  me: (signal?: Signal) => get<Me>("/api/v1/me", {}, signal),
  signOutEverywhere: () => post<object>("/api/v1/me/sign-out-everywhere"),
  getHeaderMode: (signal?: Signal) => get<HeaderMode>("/api/v1/header-mode", {}, signal),
  checkHeaderMode: () => post<HeaderMode>("/api/v1/header-mode/check"),
  listGateways: (signal?: Signal) => get<GatewayList>("/api/v1/gateways", {}, signal),
  listBackends: (signal?: Signal) => get<BackendList>("/api/v1/back-ends", {}, signal),
  getBackend: (id: BackendSummary["id"], signal?: Signal) =>
    get<BackendReport>(`/api/v1/back-ends/${at(id)}`, {}, signal),
  getMender: (signal?: Signal) => get<MenderReport>("/api/v1/mender", {}, signal),
  listMenderLog: (params: ListParams, signal?: Signal) =>
    get<Page<MenderLogEntry>>("/api/v1/mender/preauthorizations", params, signal),
  getMenderDevice: (uuid: string, signal?: Signal) =>
    get<MenderDeviceReport>(`/api/v1/devices/${at(uuid)}/mender`, {}, signal),
  overview: (signal?: Signal) => get<Overview>("/api/v1/overview", {}, signal),

  listDevices: (params: ListParams, signal?: Signal) => get<Page<Device>>("/api/v1/devices", params, signal),
  deviceFacets: (params: ListParams, signal?: Signal) => get<DeviceFacets>("/api/v1/devices/facets", params, signal),
  getDevice: (uuid: string, signal?: Signal) => get<Device>(`/api/v1/devices/${at(uuid)}`, {}, signal),
  deviceHardware: (uuid: string, signal?: Signal) =>
    get<DeviceHardware>(`/api/v1/devices/${at(uuid)}/hardware`, {}, signal),
  deviceActivity: (uuid: string, params: ListParams, signal?: Signal) =>
    get<Page<Activity>>(`/api/v1/devices/${at(uuid)}/activity`, params, signal),
  renameDevice: (uuid: string, name: string) =>
    call<Device>("PATCH", `/api/v1/devices/${at(uuid)}`, { body: { name } }),
  deleteDevice: (uuid: string) => call<object>("DELETE", `/api/v1/devices/${at(uuid)}`),
  issueDevice: (body: IssueDevice) => post<CredentialBundle>("/api/v1/devices/issue", body),
  listDeviceGroups: (params: ListParams, signal?: Signal) =>
    get<DeviceGroupList>("/api/v1/device-groups", params, signal),
  nameDeviceGroups: (ids: readonly string[], signal?: Signal) =>
    get<{ data: DeviceGroup[] }>("/api/v1/device-groups/names", { ids }, signal),
  listSimulations: (signal?: Signal) => get<Page<SimulatedDevice>>("/api/v1/simulated-devices", { limit: 200 }, signal),
  startSimulation: (body: { name?: string; hardwareId?: string; secondaries?: number }) =>
    post<SimulatedDevice>("/api/v1/simulated-devices", body),
  stopSimulation: (uuid: string) => post<SimulatedDevice>(`/api/v1/simulated-devices/${at(uuid)}/stop`),

  listCertificates: (params: ListParams, signal?: Signal) =>
    get<Page<Certificate>>("/api/v1/certificates", params, signal),
  getCertificate: (fingerprint: string, signal?: Signal) =>
    get<CertificateDetail>(`/api/v1/certificates/${at(fingerprint)}`, {}, signal),
  getInForce: (fingerprint: string, signal?: Signal) =>
    get<InForce>(`/api/v1/certificates/${at(fingerprint)}/in-force`, {}, signal),
  getAuthorityInForce: (id: string, signal?: Signal) =>
    get<InForce>(`/api/v1/authorities/${at(id)}/in-force`, {}, signal),
  listRefusals: (params: ListParams, signal?: Signal) => get<Page<Refusal>>("/api/v1/refusals", params, signal),
  listRefusalRates: (signal?: Signal) => get<{ data: RefusalRate[] }>("/api/v1/refusals/rates", {}, signal),
  getRefusal: (id: string, signal?: Signal) => get<RefusalDetail>(`/api/v1/refusals/${at(id)}`, {}, signal),
  admitRefused: (id: string, body: { name?: string; note?: string }) =>
    post<{ fingerprint: string; isIn: boolean }>(`/api/v1/refusals/${at(id)}/admit`, body),

  listAuthorities: (params: ListParams, signal?: Signal) => get<Page<Authority>>("/api/v1/authorities", params, signal),
  getAuthority: (id: string, signal?: Signal) => get<Authority>(`/api/v1/authorities/${at(id)}`, {}, signal),
  getPublication: (id: string, signal?: Signal) =>
    get<Publication>(`/api/v1/authorities/${at(id)}/publication`, {}, signal),
  createAuthority: (body: CreateAuthority) => post<Authority>("/api/v1/authorities", body),
  uploadAuthority: (body: UploadAuthority) => post<Authority>("/api/v1/authorities/upload", body),
  changeAuthority: (id: string, body: ChangeAuthority) =>
    call<Authority>("PATCH", `/api/v1/authorities/${at(id)}`, { body }),
  previewAuthorityRules: (id: string, body: NewcomerRules) =>
    post<RulesPreview>(`/api/v1/authorities/${at(id)}/preview-rules`, body),
  orderAuthorityProof: (id: string) => post<ProofOrder>(`/api/v1/authorities/${at(id)}/proof-code`),
  proveAuthority: (id: string, certificatePem: string) =>
    post<Authority>(`/api/v1/authorities/${at(id)}/proof`, { certificatePem }),
  /** `act` is what the address ends in. */
  actOnAuthority: (id: string, act: "close" | "reopen" | "issue-with") =>
    post<Authority>(`/api/v1/authorities/${at(id)}/${act}`),
  revokeAuthority: (id: string, body: RevokeAuthority) => post<Authority>(`/api/v1/authorities/${at(id)}/revoke`, body),
  deleteAuthority: (id: string) => call<object>("DELETE", `/api/v1/authorities/${at(id)}`),
  getServerCa: (signal?: Signal) => get<ServerCa>("/api/v1/server-ca", {}, signal),
  prepareServerCa: () => post<ServerCa>("/api/v1/server-ca/prepare"),
  switchServerCa: (devicesWithout: number) => post<ServerCa>("/api/v1/server-ca/switch", { devicesWithout }),
  cancelServerCa: (devicesWith: number) => post<ServerCa>("/api/v1/server-ca/cancel", { devicesWith }),
  listServerCaDevices: (params: ListParams, signal?: Signal) =>
    get<Page<ServerCaDevice>>("/api/v1/server-ca/devices", params, signal),

  getForecast: (params: ListParams, signal?: Signal) => get<Forecast>("/api/v1/trust/forecast", params, signal),
  listExpiringDevices: (params: ListParams, signal?: Signal) =>
    get<Page<ExpiringDevice>>("/api/v1/trust/forecast/devices", params, signal),
  getPosture: (signal?: Signal) => get<Posture>("/api/v1/trust/posture", {}, signal),
  listNotices: (params: ListParams, signal?: Signal) => get<Page<Notice>>("/api/v1/notices", params, signal),
  acknowledgeNotice: (id: string) => post<Notice>(`/api/v1/notices/${at(id)}/acknowledge`),
  listRenewalCampaigns: (params: ListParams, signal?: Signal) =>
    get<Page<RenewalCampaign>>("/api/v1/renewal-campaigns", params, signal),
  getRenewalCampaign: (id: string, signal?: Signal) =>
    get<RenewalCampaign>(`/api/v1/renewal-campaigns/${at(id)}`, {}, signal),
  listCampaignDevices: (id: string, params: ListParams, signal?: Signal) =>
    get<Page<CampaignDevice>>(`/api/v1/renewal-campaigns/${at(id)}/devices`, params, signal),
  createRenewalCampaign: (body: CreateRenewalCampaign) => post<RenewalCampaign>("/api/v1/renewal-campaigns", body),
  closeRenewalCampaign: (id: string) => post<RenewalCampaign>(`/api/v1/renewal-campaigns/${at(id)}/close`),
  listPostureFindings: (code: PostureCode, params: ListParams, signal?: Signal) =>
    get<Page<PostureFinding>>(`/api/v1/trust/posture/${code}`, params, signal),

  listProvisioningCredentials: (params: ListParams, signal?: Signal) =>
    get<Page<ProvisioningCredential>>("/api/v1/provisioning-credentials", params, signal),
  createProvisioningCredential: (body: CreateProvisioningCredential) =>
    post<{ credential: ProvisioningCredential; archive: CredentialArchive }>("/api/v1/provisioning-credentials", body),
  revokeProvisioningCredential: (id: string) =>
    post<ProvisioningCredential>(`/api/v1/provisioning-credentials/${at(id)}/revoke`),
  listEnrolmentTokens: (params: ListParams, signal?: Signal) =>
    get<Page<EnrolmentToken>>("/api/v1/enrolment-tokens", params, signal),
  createEnrolmentToken: (body: CreateEnrolmentToken) =>
    post<{ token: EnrolmentToken; handout: EnrolmentHandout }>("/api/v1/enrolment-tokens", body),
  revokeEnrolmentToken: (id: string) => post<EnrolmentToken>(`/api/v1/enrolment-tokens/${at(id)}/revoke`),
  getEstAddress: (signal?: Signal) => get<EstAddress>("/api/v1/est", {}, signal),
  buildCredentials: (body: BuildCredentials) =>
    post<{ clientId: string; archive: CredentialArchive }>("/api/v1/credentials/build", body),

  listImages: (params: ListParams, signal?: Signal) => get<Page<Image>>("/api/v1/images", params, signal),
  getImage: (filename: string, signal?: Signal) => get<Image>(`/api/v1/images/${at(filename)}`, {}, signal),
  verifyImage: (filename: string) => post<Image["verification"]>(`/api/v1/images/${at(filename)}/verification`),
  addImageSignature: (filename: string, body: AddSignature) =>
    post<Image>(`/api/v1/images/${at(filename)}/signatures`, body),
  listOpenpgpKeys: (signal?: Signal) => get<{ data: OpenpgpKey[] }>("/api/v1/openpgp-keys", {}, signal),
  addOpenpgpKey: (armored: string) => post<OpenpgpKey>("/api/v1/openpgp-keys", { armored }),
  removeOpenpgpKey: (fingerprint: string) => call<object>("DELETE", `/api/v1/openpgp-keys/${fingerprint}`),
  openUpload: (body: NewUpload) => post<Upload>("/api/v1/uploads", body),
  getUpload: (id: string) => get<Upload>(`/api/v1/uploads/${id}`, {}, undefined),
  completeUpload: (id: string) => post<Image>(`/api/v1/uploads/${id}/complete`),
  deleteUpload: (id: string) => call<object>("DELETE", `/api/v1/uploads/${id}`),
  deleteImage: (filename: string) => call<object>("DELETE", `/api/v1/images/${at(filename)}`),

  listUpdates: (params: ListParams, signal?: Signal) => get<Page<UpdateSummary>>("/api/v1/updates", params, signal),
  getUpdate: (id: string, signal?: Signal) => get<Update>(`/api/v1/updates/${at(id)}`, {}, signal),
  listUpdateDevices: (id: string, params: ListParams, signal?: Signal) =>
    get<Page<UpdateDevice>>(`/api/v1/updates/${at(id)}/devices`, params, signal),
  previewUpdate: (body: Omit<CreateUpdate, "dryRun">, signal?: Signal) =>
    call<Preview>("POST", "/api/v1/updates", {
      body: { ...body, dryRun: true },
      ...(signal === undefined ? {} : { signal }),
    }),
  launchUpdate: (body: Omit<CreateUpdate, "dryRun">) => post<Update>("/api/v1/updates", body),
  cancelUpdate: (id: string) => post<Update>(`/api/v1/updates/${at(id)}/cancel`),

  listUsers: (params: ListParams, signal?: Signal) => get<Page<User>>("/api/v1/users", params, signal),
  createUser: (body: CreateUser) => post<User>("/api/v1/users", body),
  changeUser: (id: string, body: ChangeUser) => call<User>("PATCH", `/api/v1/users/${at(id)}`, { body }),
  deleteUser: (id: string) => call<object>("DELETE", `/api/v1/users/${at(id)}`),
  signOutUser: (id: string) => post<User>(`/api/v1/users/${at(id)}/sign-out`),
  listTokens: (params: ListParams, signal?: Signal) => get<Page<ApiToken>>("/api/v1/tokens", params, signal),
  createToken: (body: CreateToken) => post<ApiToken & { token: string }>("/api/v1/tokens", body),
  listMachineClients: (params: ListParams, signal?: Signal) =>
    get<Page<MachineClient>>("/api/v1/machine-clients", params, signal),
  createMachineClient: (body: CreateMachineClient) =>
    post<MachineClient & { clientSecret: string }>("/api/v1/machine-clients", body),
  revokeMachineClient: (id: string) => post<MachineClient>(`/api/v1/machine-clients/${at(id)}/revoke`),
  revokeToken: (id: string) => post<ApiToken>(`/api/v1/tokens/${at(id)}/revoke`),

  getKeys: (signal?: Signal) => get<KeysOverview>("/api/v1/keys", {}, signal),
  rotateKeys: (repository: RepositoryName, body: { rehearseOnly: boolean }) =>
    post<KeyChange>(`/api/v1/keys/${repository}/rotate`, body),
  getUnsignedRoot: (repository: RepositoryName) =>
    get<{ signed: object }>(`/api/v1/keys/${repository}/unsigned-root`, {}, undefined),
  pushRoot: (repository: RepositoryName, body: PushRoot) => post<KeyChange>(`/api/v1/keys/${repository}/root`, body),
  pushTargets: (body: PushTargets) => post<KeyChange>("/api/v1/keys/image/targets", body),
  takeKeyOffline: (repository: RepositoryName, body: { keyId: string; confirm: string }) =>
    post<KeyRepository>(`/api/v1/keys/${repository}/offline`, body),
  reSign: (repository: RepositoryName) => post<KeyRepository>(`/api/v1/keys/${repository}/re-sign`),

  listAudit: (params: ListParams, signal?: Signal) => get<Page<AuditEntry>>("/api/v1/audit", params, signal),
};
