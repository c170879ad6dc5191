package dist

import (
	"strings"
	"testing"
)

// booted runs a script as the one service of a systemd that is the first process of its own namespaces, in the root that is entered already.
// systemd ends with the script, and with its exit code. Its control groups are a part of the machine's, removed in the end.
const booted = `
set -eux
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install --yes -qq --no-install-recommends systemd systemd-sysv dbus softhsm2
cat > /etc/systemd/system/proof.service <<'UNIT'
[Unit]
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
Environment=HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/bash -eux /proof
StandardOutput=file:/said
StandardError=file:/said
TimeoutStartSec=10min
UNIT
mount -t cgroup2 cgroup2 /mnt
own=/mnt$(sed -n 's/^0:://p' /proc/self/cgroup)/p11bridge-proof-$$
mkdir "$own"
sh -c 'echo $$ > "$0/cgroup.procs"; exec unshare --mount --pid --uts --ipc --cgroup --fork --propagation private sh -c "
	umount /mnt; mount -t proc proc /proc; mount -t cgroup2 cgroup2 /sys/fs/cgroup; mount -t tmpfs -o mode=0755 run /run; mount --make-rshared /
	exec env -i container=proof PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=proof.service --log-target=null --show-status=no"' "$own" || echo "systemd ended with $?"
find "$own" -depth -type d -exec rmdir {} +
cat /said
`

// unitsAtWork is what the documents have an administrator do, on a machine with SoftHSM2: the package, a token with a key, PIN and password,
// the drop-in of the table in docs/watching.md, and then the timers' services. What a unit forbids shows only here.
const unitsAtWork = `
trap 'journalctl --no-pager -u p11bridge-status -u p11bridge-backup -u p11bridge-drill' EXIT
systemctl show --property=Version
dpkg -i /packages/*.deb
id p11bridge
systemctl cat p11bridge-backup.service > /dev/null # the package had systemd read its units

# A key on a token of the machine's own SoftHSM2.
p11bridge demo --dir /root/demo --keep > /root/demo.sh
(. /root/demo.sh; export P11BRIDGE_PASSWORD_SOURCE=file:/root/demo/password.txt; p11bridge export alice -o /root/alice.pfx)
install -m 600 /root/demo/pin.txt /etc/p11bridge/pin
install -m 600 /root/demo/password.txt /etc/p11bridge/password
group=$(stat -c %G /var/lib/softhsm/tokens)
softhsm="setpriv --reuid p11bridge --regid p11bridge --groups $(stat -c %g /var/lib/softhsm/tokens)"
$softhsm softhsm2-util --init-token --free --label ca --so-pin 12345678 --pin "$(cat /etc/p11bridge/pin)"
p11bridge restore /root/alice.pfx --token ca --exportable --pin-source file:/etc/p11bridge/pin --password-source file:/etc/p11bridge/password
chown -R p11bridge /var/lib/softhsm/tokens/*
for unit in status backup; do
	mkdir -p /etc/systemd/system/p11bridge-$unit.service.d
	printf '[Service]\nSupplementaryGroups=%s\n' "$group" > /etc/systemd/system/p11bridge-$unit.service.d/token.conf
done
systemctl daemon-reload

# Before the backup, status fails, and says why.
code=0; systemctl start p11bridge-status.service || code=$?
test "$code" = 1
systemctl show --property=ExecMainStatus p11bridge-status.service
test "$(systemctl show --value --property=ExecMainStatus p11bridge-status.service)" = 5
grep 'p11bridge_keys{state="never-made"} 1' /var/cache/p11bridge/p11bridge.prom

# The backup, by what a renewal touches, and everything else after it.
systemctl start p11bridge-backup.path
touch /etc/p11bridge/renewed
for i in $(seq 60); do ls /var/lib/p11bridge/backups/*.pfx && break; sleep 1; done
systemctl start p11bridge-backup.service
systemctl start p11bridge-drill.service
systemctl start p11bridge-status.service
grep 'p11bridge_keys{state="up-to-date"} 1' /var/cache/p11bridge/p11bridge.prom
grep -c p11bridge_key_backup_last_drill_timestamp_seconds{ /var/cache/p11bridge/p11bridge.prom
ls -ln /var/lib/p11bridge/backups
systemctl enable --now p11bridge-status.timer p11bridge-drill.timer
systemctl list-timers --no-pager
! journalctl --no-pager | grep -F -f /etc/p11bridge/pin
! journalctl --no-pager | grep -F -f /etc/p11bridge/password

# The package takes its timers with it.
dpkg --purge p11bridge
! systemctl is-active p11bridge-status.timer
! systemctl cat p11bridge-status.service
echo all units worked
`

// unitsUnderSystemd boots systemd in the root and has the units work.
func unitsUnderSystemd(t *testing.T, root string) {
	said := inRoot(t, root, "cat > /proof <<'PROOF'\n"+unitsAtWork+"PROOF\n"+booted)
	if !strings.Contains(said, "\nall units worked\n") || strings.Contains(said, "systemd ended with") {
		t.Errorf("under systemd:\n%s", said)
	}
}
