/** Posture's face to the other areas and processes; README.md says what it guarantees. */
export { getForecast, listExpiringDevices } from "./forecast.ts";
export { getPosture, listPostureFindings } from "./posture.ts";
