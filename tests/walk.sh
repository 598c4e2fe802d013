#!/usr/bin/env bash
# The main path with nothing but curl and openssl: a device of an outside certificate waits, is approved, is updated by signed
# metadata, proves it, and is cut off. Needs a running Gatehouse and a shell on its machine.
#
#   GATEHOUSE_URL    the console, e.g. http://localhost:3000
#   GATEHOUSE_TOKEN  an admin token (npx --no-install gatehouse token create --role admin --name walk)
#   DATA_DIR         of that install
set -euo pipefail
: "${GATEHOUSE_URL:?}" "${GATEHOUSE_TOKEN:?}" "${DATA_DIR:?}"
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
work=$(mktemp -d)
device_pid=
cleanup() {
  if [ -n "$device_pid" ]; then kill "$device_pid" 2>/dev/null || true; wait "$device_pid" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT

step() { printf '== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
# The member at a path of the JSON on standard input, e.g. `field .data.0.uuid`.
field() { node -e 'let t="";process.stdin.on("data",d=>t+=d).on("end",()=>{let v=JSON.parse(t);for(const k of process.argv[1].split(".").slice(1))v=v?.[k];console.log(v===undefined||v===null?"":typeof v==="object"?JSON.stringify(v):v)})' "$1"; }
# api METHOD PATH [curl arguments]: the body; the status is in $work/status.
api() {
  local method=$1 path=$2
  shift 2
  curl -sS -o "$work/body" -w '%{http_code}' -X "$method" -H "Authorization: Bearer $GATEHOUSE_TOKEN" "$@" "$GATEHOUSE_URL$path" >"$work/status"
  cat "$work/body"
}
json() { api "$1" "$2" -H 'Content-Type: application/json' --data "$3"; }
expect_status() { [ "$(cat "$work/status")" = "$1" ] || fail "$2: status $(cat "$work/status"), expected $1: $(cat "$work/body")"; }
# door DIR PATH: the status that the device door answers on a new connection made by openssl with the credentials in DIR.
door() {
  printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$door_host" |
    openssl s_client -quiet -connect "$door_host" -cert "$1/client.pem" -key "$1/pkey.pem" -CAfile "$1/root.crt" -verify_return_error 2>/dev/null |
    head -1 | cut -d' ' -f2
}
# until_true SECONDS WHAT COMMAND...: runs the command until it succeeds.
until_true() {
  local deadline=$(($(date +%s) + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$(date +%s)" -lt "$deadline" ] || fail "$what"
    sleep 0.2
  done
}

step "who may do this"
api GET /api/v1/me | grep -q '"role":"admin"' || fail "GATEHOUSE_TOKEN is not an admin's"
curl -sS -o /dev/null -w '%{http_code}' "$GATEHOUSE_URL/api/v1/devices" | grep -qx 401 || fail "the API answers without a token"

step "a certificate that the fleet CA signed elsewhere waits at the door"
node device/main.ts --pending --count 1 --hardware walk-hw --interval 1 --dir "$work/devices" >"$work/device.log" 2>&1 &
device_pid=$!
issued() { device=$(echo "$work"/devices/*/credentials) && [ -f "$device/client.pem" ]; }
until_true 20 "the simulated device got no credentials" issued
door_host=$(sed 's,^https://,,' "$device/gateway.url" | tr -d '[:space:]')
case "$door_host" in *:*) ;; *) door_host=$door_host:443 ;; esac
[ "$(door "$device" /director/1.root.json)" = 403 ] || fail "an unknown certificate was not refused"
fingerprint=$(openssl x509 -in "$device/client.pem" -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)
waiting() { api GET '/api/v1/certificates?state=pending' | grep -q "$fingerprint"; }
until_true 10 "the certificate never showed up as pending" waiting
[ "$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$device/root.crt" "https://$door_host/director/1.root.json")" = 401 ] || fail "no certificate is not 401"

step "a person lets it in"
uuid=$(json POST "/api/v1/certificates/$fingerprint/approve" '{"note":"compared by hand"}' | field .deviceUuid)
expect_status 200 approve
let_in() { [ "$(door "$device" /director/1.root.json)" = 200 ]; }
until_true 1 "approval did not reach the door within a second" let_in

step "it registers and reports what it runs"
reports() { [ -n "$(api GET "/api/v1/devices/$uuid" | field .lastManifestAt)" ]; }
until_true 30 "the device did not report: $(tail -3 "$work/device.log" 2>/dev/null)" reports

step "an image is uploaded and verified"
head -c 100000 /dev/urandom >"$work/image.bin"
version=$(date +%s)
image=$(api POST /api/v1/images -F name=walk -F version="$version" -F hardwareIds=walk-hw -F "file=@$work/image.bin" | field .filename)
expect_status 201 upload
api GET "/api/v1/images/$image" | grep -q "$(openssl dgst -sha256 -r <"$work/image.bin" | cut -d' ' -f1)" || fail "the digest is not that of the file"
verified() { [ "$(api GET "/api/v1/images/$image" | field .verification.state)" = verified ]; }
until_true 10 "the image was not verified" verified
api POST /api/v1/images -F name=walk -F version="$version" -F hardwareIds=walk-hw -F "file=@$work/image.bin" >/dev/null
expect_status 409 "the same name again"

step "the preview says who would be hit, then the update is launched"
update="{\"name\":\"walk $version\",\"targets\":{\"walk-hw\":{\"to\":\"$image\"}},\"devices\":[\"$uuid\"]"
[ "$(json POST /api/v1/updates "$update,\"dryRun\":true}" | field .devices.0.eligible)" = true ] || fail "the preview: $(cat "$work/body")"
expect_status 200 preview
id=$(json POST /api/v1/updates "$update}" | field .id)
expect_status 201 launch
updated() { [ "$(api GET "/api/v1/updates/$id" | field .counts.updated)" = 1 ]; }
until_true 60 "the device was not updated: $(cat "$work/body")" updated

step "the evidence is the device's own signed manifest"
evidence=$(api GET "/api/v1/updates/$id" | field .devices.0.evidence)
manifest_url=$(printf '%s' "$evidence" | field .manifestUrl)
curl -sS -H "Authorization: Bearer $GATEHOUSE_TOKEN" "$GATEHOUSE_URL$manifest_url" -o "$work/manifest"
[ "$(openssl dgst -sha256 -r <"$work/manifest" | cut -d' ' -f1)" = "$(printf '%s' "$evidence" | field .manifestSha256)" ] || fail "the manifest is not the one that was received"
grep -q "$image" "$work/manifest" || fail "the manifest does not name the image"

step "revoked: refused within a second"
json POST "/api/v1/certificates/$fingerprint/revoke" '{"reason":"keyCompromise","note":"end of the walk"}' >/dev/null
expect_status 200 revoke
shut() { [ "$(door "$device" /director/1.root.json)" = 403 ]; }
until_true 1 "revocation did not reach the door within a second" shut

step "the audit log tells the story"
api GET '/api/v1/audit?limit=200' >/dev/null
for action in certificate.approve image.upload update.launch certificate.revoke; do
  grep -q "\"$action\"" "$work/body" || fail "the audit log has no $action"
done
npx --no-install gatehouse audit verify >/dev/null || fail "the audit chain is broken"
echo "walked"
