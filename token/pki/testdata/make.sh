#!/usr/bin/env bash
# Makes the certificates and keys of this directory anew, with OpenSSL 3. The keys are throw-away keys.
set -euo pipefail
cd "$(dirname "$0")"
days=(-days 36500)

key() { openssl genpkey "${@:2}" 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -outform DER -out "$1.key"; }
self() { openssl req -new -x509 -utf8 -key "$1.key" -keyform DER "${days[@]}" -outform DER -out "$1.crt" "${@:2}"; }

key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
self rsa -subj '/C=ES/O=Prova/CN=rsa' -addext extendedKeyUsage=clientAuth,emailProtection,1.3.6.1.4.1.311.20.2.2,1.2.3.4 \
  -addext keyUsage=digitalSignature,nonRepudiation,keyEncipherment -addext subjectAltName=email:a@example.org
key p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
self p256 -subj '/CN=p256'
for curve in brainpoolP256r1 secp256k1; do
  key $curve -algorithm EC -pkeyopt ec_paramgen_curve:$curve
  self $curve -subj "/CN=$curve"
done
openssl ecparam -name prime256v1 -genkey -noout -param_enc explicit -outform DER 2>/dev/null |
  openssl pkcs8 -topk8 -nocrypt -inform DER -outform DER -out explicit.key
self explicit -subj /CN=explicit
openssl ecparam -name sect283r1 -genkey -noout -outform DER 2>/dev/null |
  openssl pkcs8 -topk8 -nocrypt -inform DER -outform DER -out sect283r1.key
self sect283r1 -subj /CN=sect283r1
key ed25519 -algorithm ED25519
self ed25519 -subj /CN=ed25519
key ed448 -algorithm ED448
self ed448 -subj /CN=ed448
key x25519 -algorithm X25519
key rsapss -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
self rsapss -subj /CN=rsapss -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
openssl genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:2048 -out dsa.params 2>/dev/null
key dsa -paramfile dsa.params
self dsa -subj /CN=dsa
rm dsa.params

cp p256.key utf8.key
self utf8 -subj '/C=ES/O=Generació d’Entitats, S.A./CN=ÑANDÚ GARCÍA — 署名/emailAddress=n@example.org'
cp p256.key hostile.key
self hostile -subj $'/CN=a\e[31mred\nsecond line\u202egnp.exe/O= lead,trail /OU=\\#x\\+y=<z>;"'
cp p256.key negative.key
self negative -subj /CN=negative -set_serial -0x1234
rm utf8.key hostile.key negative.key

# Two CAs of one name, without key identifiers; one of them is on a brainpool curve. The leaf is of the first.
for ca in one two; do
  case $ca in one) k=brainpoolP256r1 ;; two) k=p256 ;; esac
  openssl req -new -x509 -key $k.key -keyform DER "${days[@]}" -subj /CN=twin -addext subjectKeyIdentifier=none \
    -addext authorityKeyIdentifier=none -outform DER -out twin-$ca.crt
done
openssl req -new -key ed25519.key -keyform DER -subj /CN=leaf -out leaf.csr
openssl x509 -inform DER -in twin-one.crt -out twin-one.pem
openssl pkey -inform DER -in brainpoolP256r1.key -out twin-one.keypem
openssl x509 -req -in leaf.csr -CA twin-one.pem -CAkey twin-one.keypem -set_serial 7 -sha384 "${days[@]}" -outform DER -out leaf.crt 2>/dev/null
rm leaf.csr twin-one.pem twin-one.keypem
