//go:build wine

package softhsmtests

// Why a script is about Linux, or about what wine does not show.
const (
	asksOnTerminal   = "it answers a question on a terminal, and wine has no console without a window"
	loadsLinuxModule = "it loads a module of Linux: a fault is put between, or another token is there"
	wantsSoftokn     = "it opens an NSS database, and softokn3.dll is not there"
	wantsSoftHSM     = "it makes a token with SoftHSM2, which is not there for Windows"
	wordsOfLinux     = "it wants the words, the modes or the commands of Linux"
	linksOfLinux     = "it makes links, which wine follows without showing them"
	sourcesOfLinux   = "it hands a secret over by a file descriptor or a FIFO"
	notYet           = "it was not tried under wine yet"
	shellsOfLinux    = "it is about completion in the shells of Linux"
)

// leftToLinux are the scripts that do not run on the program for Windows, each with the reason.
var leftToLinux = map[string]string{
	"completion_bash":       shellsOfLinux,
	"completion_shells":     shellsOfLinux,
	"delete_authenticate":   loadsLinuxModule,
	"delete_key":            asksOnTerminal,
	"delete_refused":        asksOnTerminal,
	"demo_keep":             wantsSoftHSM,
	"demo_missing":          wantsSoftHSM,
	"demo_shows":            wantsSoftHSM,
	"diagnose_probe":        loadsLinuxModule,
	"doctor_discovery":      wordsOfLinux,
	"doctor_healthy":        wordsOfLinux,
	"doctor_library":        wordsOfLinux,
	"doctor_nothing":        wordsOfLinux,
	"doctor_nss":            wantsSoftokn,
	"doctor_softhsm":        wordsOfLinux,
	"drill_all":             wantsSoftHSM,
	"export_all_progress":   asksOnTerminal,
	"export_all_shards":     wordsOfLinux,
	"export_all_usage":      sourcesOfLinux,
	"export_blocked":        loadsLinuxModule,
	"export_delete":         asksOnTerminal,
	"export_faults":         sourcesOfLinux,
	"export_pin":            loadsLinuxModule,
	"export_prompt":         asksOnTerminal,
	"export_readonly":       wordsOfLinux,
	"export_secrets":        linksOfLinux,
	"export_sources":        sourcesOfLinux,
	"export_target":         linksOfLinux,
	"list_absent":           wordsOfLinux,
	"list_discovery":        wordsOfLinux,
	"list_leftout":          loadsLinuxModule,
	"list_misbehaving":      loadsLinuxModule,
	"list_module":           wordsOfLinux,
	"list_nss":              wantsSoftokn,
	"list_nss_damaged":      wantsSoftokn,
	"list_profiles":         wantsSoftokn,
	"list_proxy":            loadsLinuxModule,
	"list_shown":            loadsLinuxModule,
	"list_trace_target":     linksOfLinux,
	"list_twice":            loadsLinuxModule,
	"request_like":          loadsLinuxModule,
	"request_nss":           wantsSoftokn,
	"request_target":        wordsOfLinux,
	"restore_beside":        loadsLinuxModule,
	"restore_nss":           wantsSoftokn,
	"restore_unknown_curve": wantsSoftokn,
	"root_help":             wordsOfLinux,
	"status_watched":        wantsSoftHSM,
	"verify_files":          asksOnTerminal,
	"export_all_tokens":     asksOnTerminal,
	"export_all_heals":      linksOfLinux,
	"export_all_names":      wordsOfLinux,
	"export_all_writes":     wordsOfLinux,
	"export_sealed":         notYet,
	"export_sealed_refused": notYet,
	"reseal_rotates":        notYet,
	"verify_sealed":         notYet,
	"export_all_renewed":    loadsLinuxModule,
}
