package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/brokertest"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// single starts a gateway that is alone on its air.
func single(t *testing.T, cfg config) *gateway {
	t.Helper()
	radio := lorasim.NewAir(lorasim.Options{}).Radio(lora.Config{}, lorasim.Position{})
	node, err := pymesh.New(radio, pymesh.WithKey(pymesh.NewKey()), pymesh.WithMAC(0x70b3d54990000001), pymesh.WithStore(new(pymesh.MemoryStore)))
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(t.Context(), cfg, node, radio, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.close(), node.Close()); err != nil {
			t.Error(err)
		}
	})
	return g
}

// certificate makes one for 127.0.0.1 that is its own authority, and returns the files of it and its key.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestSecureBroker talks to a mosquitto that wants TLS and a password.
func TestSecureBroker(t *testing.T) {
	dir := t.TempDir()
	passwords, secret := filepath.Join(dir, "passwords"), filepath.Join(dir, "secret")
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", passwords, "gateway", "open sesame").CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			t.Skip("skipped: no mosquitto_passwd (Debian's package mosquitto)")
		}
		t.Fatalf("%v: %s", err, out)
	}
	cert, key := certificate(t, dir)
	m := brokertest.Start(t, "allow_anonymous false\npassword_file "+passwords+"\ncertfile "+cert+"\nkeyfile "+key)
	if err := os.WriteFile(secret, []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := defaults()
	cfg.Web.Listen = ""
	cfg.MQTT.URL, cfg.MQTT.CAFile, cfg.MQTT.User, cfg.MQTT.PasswordFile = "mqtts://"+m.Address, cert, "gateway", secret
	cfg.MQTT.Spool = filepath.Join(dir, "spool")
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	g := single(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !g.broker.Connected() {
		if ctx.Err() != nil {
			log, _ := os.ReadFile(m.Log)
			t.Fatalf("no connection: %s", log)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := tlsConfig(secret); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("a file that is no certificate: %v", err)
	}
}
