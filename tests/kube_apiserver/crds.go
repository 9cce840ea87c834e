//go:build crds

package main

// Never built: it keeps the module that the Gateway API's CRDs come from among those that go.mod names.
import _ "sigs.k8s.io/gateway-api/apis/v1"
