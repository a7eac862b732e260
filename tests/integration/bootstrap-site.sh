# A registry with one small artifact to push and sign, and an API server that plays a cluster. Sourced by tests in a folder of
# their own ($work), which goes with what was started ($pids) when they end; they set $here, the folder of this file.
# SPDX-License-Identifier: Apache-2.0

tool=$HEARTH_BIN/oci-pull-tool
for program in docker-registry cosign skopeo openssl python3; do
	command -v "$program" >/dev/null || { echo "$program is missing"; exit 77; }
done
work=$(mktemp -d)
pids=
finish() {
	status=$?
	for pid in $pids; do kill "$pid" 2>/dev/null || :; done
	[ "$status" = 0 ] || for log in "$work"/*.log; do echo "== $log"; tail -n 30 "$log"; done
	umount "$work/small" 2>/dev/null || :
	rm -rf "$work"
	exit "$status"
}
trap finish EXIT
fail() { echo "FAILED: $*"; exit 1; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# One CA for registry, API and its client.
cd "$work"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.crt 2>openssl.log
issue() { # NAME EXTENSIONS
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>>openssl.log
	printf '%s\n' "$2" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -days 2 -extfile "$1.ext" -out "$1.crt" 2>>openssl.log
}
issue server 'subjectAltName=IP:127.0.0.1
extendedKeyUsage=serverAuth'
issue client 'extendedKeyUsage=clientAuth'

registry_port=$(free_port)
cat >registry.yml <<EOF
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $work/registry }, delete: { enabled: true } }
http: { addr: "127.0.0.1:$registry_port", tls: { certificate: $work/server.crt, key: $work/server.key } }
EOF
registry_start() {
	docker-registry serve registry.yml >registry.log 2>&1 &
	registry=$!
	pids="$pids $registry"
	for _ in $(seq 100); do
		curl -s --cacert ca.crt "https://127.0.0.1:$registry_port/v2/" >/dev/null && return
		sleep 0.1
	done
	fail "the registry does not start"
}
registry_start
mkdir manifests
api_port=$(free_port)
python3 "$here/fake-api.py" "$api_port" "$work/manifests" server.crt server.key ca.crt "$work/order" >api.log 2>&1 &
pids="$pids $!"
cat >kubeconfig <<EOF
apiVersion: v1
kind: Config
current-context: c
contexts: [{ name: c, context: { cluster: k, user: u } }]
clusters: [{ name: k, cluster: { server: "https://127.0.0.1:$api_port", certificate-authority: ca.crt } }]
users: [{ name: u, user: { client-certificate: client.crt, client-key: client.key } }]
EOF

# The artifact: three stages, one variable.
mkdir -p folder/10-crds folder/20-cni folder/50-sync
cat >folder/10-crds/widgets.yaml <<'EOF'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.test.hearth.io }
EOF
cat >folder/20-cni/net.yaml <<'EOF'
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: net, namespace: kube-system }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: operator, namespace: kube-system }
spec: { replicas: 2 }
EOF
cat >folder/50-sync/site.yaml <<'EOF'
apiVersion: v1
kind: Namespace
metadata: { name: site }
---
apiVersion: test.hearth.io/v1
kind: Widget
metadata: { name: w, namespace: site }
spec: { host: "${SOVEREIGN_FQDN}", literal: "$${KEPT}" }
EOF
export SSL_CERT_FILE=$work/ca.crt COSIGN_PASSWORD= HOME=$work COSIGN_YES=true
export TUF_ROOT=$work/tuf
where=127.0.0.1:$registry_port/hearth/bootstrap
push() { # TAG: pack folder/ as it is, push it, print the digest
	digest=$("$tool" pack folder "layout-$1" hearth/bootstrap "$1")
	skopeo copy -q --insecure-policy "oci:layout-$1:hearth/bootstrap:$1" "docker://$where:$1" >&2
	echo "$digest"
}
cosign generate-key-pair --output-key-prefix good >cosign.log 2>&1
cosign generate-key-pair --output-key-prefix other >>cosign.log 2>&1
sign() { # KEY DIGEST
	cosign sign --key "$1.key" --tlog-upload=false "$where@$2" >>cosign.log 2>&1 || fail "cosign sign"
}
lease=https://127.0.0.1:$api_port/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/hearth-bootstrap
api() { curl -s --cacert ca.crt --cert client.crt --key client.key "$@"; }
