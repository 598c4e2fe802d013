/** Posture's face to the other areas and processes; README.md says what it guarantees. */
export {
  closeRenewalCampaign,
  createRenewalCampaign,
  getRenewalCampaign,
  listCampaignDevices,
  listRenewalCampaigns,
} from "./campaigns.ts";
export { getForecast, listExpiringDevices } from "./forecast.ts";
export { acknowledgeNotice, listNotices, refreshNotices } from "./notices.ts";
export { getPosture, listPostureFindings } from "./posture.ts";
