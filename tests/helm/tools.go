//go:build tools

// What tests/helm/build makes: Helm itself.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
