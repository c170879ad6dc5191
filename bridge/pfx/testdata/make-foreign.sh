#!/bin/sh
# Makes the PFX files in foreign/ with the tools of others: OpenSSL, keytool, pk12util, certtool.
# All keys are made for this and thrown away; the password is "test" unless the name of the file says otherwise.
# The files are kept in the repository as seeds for the fuzzer and as cases of TestForeignFiles.
set -eu
cd "$(dirname "$0")"
out=$PWD/foreign
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -subj '/CN=ca' -days 3650 -out ca.pem
for curve in prime256v1 brainpoolP256r1 secp256k1; do
  openssl ecparam -name $curve -genkey -noout -out $curve.key
done
openssl genpkey -algorithm ed25519 -out ed25519.key
openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1024 -out rsa.key
serial=1
for kind in prime256v1 brainpoolP256r1 secp256k1 ed25519 rsa; do
  serial=$((serial + 1))
  openssl req -new -key $kind.key -subj "/CN=$kind" -out $kind.csr
  openssl x509 -req -in $kind.csr -CA ca.pem -CAkey ca.key -set_serial $serial -days 3650 -out $kind.pem 2>/dev/null
done

export_with() { # name, then options of openssl pkcs12
  name=$1
  shift
  openssl pkcs12 -export -inkey prime256v1.key -in prime256v1.pem -certfile ca.pem -name 'a näme' \
    -passout pass:test -iter 100 "$@" -out "$out/openssl-$name.p12"
}
export_with default
export_with rc2-40 -legacy -certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-RC2-40 -macalg sha1
export_with rc2-128 -legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-RC2-128 -macalg sha1
export_with rc4-128 -legacy -certpbe PBE-SHA1-RC4-128 -keypbe PBE-SHA1-RC4-128 -macalg sha1
export_with 2des -legacy -certpbe PBE-SHA1-2DES -keypbe PBE-SHA1-2DES -macalg sha1
export_with 3des -legacy -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1
export_with legacy -legacy
for mac in sha224 sha384 sha512; do export_with mac-$mac -macalg $mac; done
for cipher in aes-128-cbc aes-192-cbc des-ede3-cbc; do export_with $cipher -certpbe $cipher -keypbe $cipher; done
export_with clear-certificates -certpbe NONE
export_with clear-key -keypbe NONE
export_with clear -certpbe NONE -keypbe NONE
export_with clear-no-mac -certpbe NONE -keypbe NONE -nomac
export_with no-mac -nomac
export_with no-iterations -nomaciter -noiter
for kind in brainpoolP256r1 secp256k1 ed25519 rsa; do
  openssl pkcs12 -export -inkey $kind.key -in $kind.pem -passout pass:test -iter 100 -out "$out/openssl-$kind.p12"
done
openssl pkcs12 -export -inkey prime256v1.key -in prime256v1.pem -passout pass: -iter 100 -out "$out/openssl-empty-password.p12"
openssl pkcs12 -export -legacy -inkey prime256v1.key -in prime256v1.pem -passout pass: -iter 100 -out "$out/openssl-empty-password-legacy.p12"
openssl pkcs12 -export -inkey prime256v1.key -in prime256v1.pem -passout 'pass:tést €' -iter 100 -out "$out/openssl-non-ascii-password.p12"
openssl pkcs12 -export -nokeys -in ca.pem -passout pass:test -iter 100 -out "$out/openssl-no-key.p12"
openssl pkcs12 -export -nocerts -inkey prime256v1.key -passout pass:test -iter 100 -out "$out/openssl-no-certificate.p12"

# keytool takes no password of less than six characters.
iterations="-J-Dkeystore.pkcs12.certPbeIterationCount=100 -J-Dkeystore.pkcs12.keyPbeIterationCount=100 -J-Dkeystore.pkcs12.macIterationCount=100"
java_key() {
  store=$1
  name=$2
  shift 2
  keytool $iterations -genkeypair -keystore "$store" -storetype PKCS12 -storepass testtest -alias "$name" \
    -keyalg EC -groupname secp256r1 -dname "CN=$name" -validity 3650 "$@" 2>/dev/null
}
java_key "$out/keytool-default-testtest.p12" one
java_key "$out/keytool-legacy-testtest.p12" one -J-Dkeystore.pkcs12.legacy
cp "$out/keytool-default-testtest.p12" "$out/keytool-two-keys-testtest.p12"
java_key "$out/keytool-two-keys-testtest.p12" zwei
keytool $iterations -importcert -noprompt -trustcacerts -file ca.pem -alias ca -keystore "$out/keytool-trust-store-testtest.p12" \
  -storetype PKCS12 -storepass testtest 2>/dev/null
cp "$out/keytool-default-testtest.p12" "$out/keytool-secret-key-testtest.p12"
keytool $iterations -genseckey -keyalg AES -keysize 128 -alias secret -keystore "$out/keytool-secret-key-testtest.p12" -storepass testtest 2>/dev/null

mkdir db
certutil -N -d sql:db --empty-password
openssl pkcs12 -export -inkey prime256v1.key -in prime256v1.pem -certfile ca.pem -name 'a name' -passout pass:test -out nss.p12
pk12util -i nss.p12 -d sql:db -W test >/dev/null
pk12util -o "$out/pk12util-default.p12" -n 'a name' -d sql:db -W test >/dev/null
pk12util -o "$out/pk12util-non-ascii-password.p12" -n 'a name' -d sql:db -W 'tést €' >/dev/null
pk12util -o "$out/pk12util-rc2-40.p12" -n 'a name' -d sql:db -W test -c 'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC' -C 'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC' -M SHA-1 >/dev/null
pk12util -o "$out/pk12util-3des.p12" -n 'a name' -d sql:db -W test -c 'PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC' -C 'PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC' -M SHA-1 >/dev/null
pk12util -o "$out/pk12util-aes-128-sha-512.p12" -n 'a name' -d sql:db -W test -c AES-128-CBC -C AES-128-CBC -M SHA-512 >/dev/null
pk12util -o "$out/pk12util-clear-certificates.p12" -n 'a name' -d sql:db -W test -C none >/dev/null

certtool_export() {
  name=$1
  shift
  certtool --to-p12 --load-privkey prime256v1.key --load-certificate prime256v1.pem --load-ca-certificate ca.pem \
    --p12-name 'a name' --password test --outder --outfile "$out/certtool-$name.p12" "$@" 2>/dev/null
}
certtool_export default
certtool_export 3des --pkcs-cipher 3des-pkcs12
certtool_export aes-256 --pkcs-cipher aes-256
certtool_export rc2-40 --pkcs-cipher rc2-40
chmod 644 "$out"/*
