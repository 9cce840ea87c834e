// Package conformance is the Gateway API's own suite, run as it is: its clients, its time-outs, its manifests.
//
// Only names are resolved elsewhere. A Gateway's address is a domain name of VPC Lattice's, which on AWS the VPC's
// resolver knows; here a server of the driver's does, whose address is in CONFORMANCE_DNS. So every client of the
// suite, whichever way it dials, gets from the address in a Gateway's status to the data plane by that name alone.
package conformance

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/pkg/features"
)

func TestConformance(t *testing.T) {
	server := os.Getenv("CONFORMANCE_DNS")
	if server == "" {
		t.Fatal("CONFORMANCE_DNS is not set: python -m tests.conformance sets it")
	}
	net.DefaultResolver = &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server)
		},
	}
	conformance.RunConformance(t)
}

// TestCatalogue writes the names of all tests of the suite, with the features that each needs, to the file named in
// CONFORMANCE_CATALOGUE.
func TestCatalogue(t *testing.T) {
	catalogue := map[string][]features.FeatureName{}
	for _, test := range tests.ConformanceTests {
		catalogue[test.ShortName] = test.Features
	}
	written, err := json.Marshal(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("CONFORMANCE_CATALOGUE"), written, 0o600); err != nil {
		t.Fatal(err)
	}
}
