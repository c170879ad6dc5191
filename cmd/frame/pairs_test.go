package frame_test

import (
	"slices"
	"testing"

	"p11bridge/bridge/verdict"
)

// spoilt are the reasons for which a file is no valid copy, or not to be judged, of which it has one beside those of ofFiles.
var spoilt = []verdict.Code{
	verdict.NoPrivateKey, verdict.KeyOfAnotherCert, verdict.InnerPasswordDiffers, verdict.KeyNotSound, verdict.FormatUnsupported, verdict.BackupOfAnotherKey,
}

// ofBackups are the states of a backup, which stand beside the verdict on its key.
var ofBackups = []verdict.Code{
	verdict.BackupNeverMade, verdict.BackupOutdated, verdict.BackupUpToDate, verdict.BackupFileMissing, verdict.BackupFileChanged, verdict.BackupRecordUnreadable,
	verdict.BackupUnproven, verdict.BackupKeyNotShown, verdict.BackupKeyGone, verdict.BackupNotAsRecorded,
}

// ofReceipts are what an export or a restore tells beside the verdict and one another.
var ofReceipts = []verdict.Code{
	verdict.OtherMethodUsed, verdict.TokenCouldNotProve, verdict.FileNotCertain, verdict.FilePutBack, verdict.FileMayNotLast, verdict.ChainIncomplete,
	verdict.RestoredDifferently, verdict.PublicKeyNotStored, verdict.RestoredUnproven,
}

// ofSurroundings are what keeps from a token, of several modules and slots at once.
var ofSurroundings = []verdict.Code{
	verdict.SoftHSMConfiguration, verdict.PCSCDNotRunning, verdict.ModuleMissing, verdict.ModuleNotReadable, verdict.ModuleNotALibrary, verdict.ModuleWrongArchitecture,
	verdict.ModuleDependencyMissing, verdict.ModuleNotPKCS11, verdict.ModuleFunctionListFailed, verdict.ModuleCrashed, verdict.ModuleExited, verdict.ModuleHung,
	verdict.ModuleInitializeFailed, verdict.ModuleFailed, verdict.NoModuleFound, verdict.TokenNotInitialised, verdict.SoftHSMEmpty, verdict.NoReader, verdict.TokenAbsent,
	verdict.PINNotSet, verdict.PINLocked, verdict.PINLastAttempt, verdict.PINMustChange, verdict.PinpadRequired,
}

// alone are the reasons that stand beside no other, and why.
var alone = map[verdict.Code]string{
	verdict.FileEmpty: "nothing is in it", verdict.FileTooLarge: "it was not read", verdict.FileBeyondLimits: "it was not read", verdict.IterationCountTooLarge: "it was not opened",
	verdict.NotAPFX: "it was not opened", verdict.CertificateOnly: "it was not opened", verdict.JavaKeyStore: "it was not opened",
	verdict.PrivateKeyUnprotected: "it was not opened", verdict.PrivateKeyAlone: "it was not opened", verdict.FileDamaged: "it was not opened",
	verdict.PasswordIncorrect: "it was not opened", verdict.PasswordMissing: "it was not opened",
	verdict.SealedNotOpened: "there is no password", verdict.SealedPasswordUnused: "it is of another file", verdict.SealedPasswordMissing: "there is no password", verdict.ProtectedLoginFailed: "the login failed",
	verdict.PINIncorrect: "the login failed", verdict.PINLength: "no login was tried", verdict.PINMissing: "no login was tried",
	verdict.ModulePrinted:         "it is a notice of a module's own",
	verdict.PrimaryPasswordNotSet: "it is said of a token, not of a key", verdict.ObjectUnreadable: "no verdict rests on what could not be read", verdict.TokenFileUnreadable: "no verdict rests on what could not be read",
	verdict.AlreadyOnToken: "nothing was restored", verdict.TokenFull: "nothing was restored", verdict.RestoreRefused: "nothing was restored",
	verdict.NoKeyForCertificate: "nothing was installed", verdict.MethodRefused: "the one method that was allowed was refused",
}

// TestPairsOfOtherReasons reads the steps of what stands together beside the verdict on a key, and misses no reason: each is in a pair
// here or in those of the judge, or is said why it stands alone. A new one is read beside all that may stand beside a verdict.
func TestPairsOfOtherReasons(t *testing.T) {
	apps := appsOf(t)
	paired := map[verdict.Code]bool{}
	pair := func(first, second verdict.Code) {
		paired[first], paired[second] = true, true
		checkSteps(t, apps, []verdict.Reason{{Code: first}, {Code: second}})
	}
	for _, file := range ofFiles {
		paired[file] = true
		for _, spoils := range spoilt {
			pair(spoils, file)
		}
	}
	for i, first := range ofReceipts {
		for _, second := range ofReceipts[i+1:] {
			pair(first, second)
		}
	}
	for i, first := range ofSurroundings {
		for _, second := range ofSurroundings[i+1:] {
			if causes := verdict.Causes([]verdict.Reason{{Code: first}, {Code: second}}); len(causes) == 2 {
				pair(causes[0].Code, causes[1].Code)
			}
			paired[first], paired[second] = true, true
		}
	}
	for _, reasons := range togetherOf(t) {
		for _, judged := range reasons {
			if paired[judged.Code] {
				continue
			}
			for _, state := range ofBackups {
				pair(state, judged.Code)
			}
		}
	}
	for _, entry := range verdict.Table() {
		switch why, single := alone[entry.Code]; {
		case single && (paired[entry.Code] || why == ""):
			t.Errorf("%s stands alone, and is in a pair: %v; why: %q", entry.Code, paired[entry.Code], why)
		case !single && !paired[entry.Code]: // nobody has said what it stands beside
			for _, state := range slices.Concat(ofBackups, ofReceipts) {
				pair(entry.Code, state)
			}
		}
	}
}
