// Runs libFuzzer on the target in TRIBUNE_FUZZ_TARGET, so that processes started by libFuzzer know it too. See
// Fuzzing/run.

import CLibFuzzer
import FuzzTargets
import Glibc

guard let name = getenv("TRIBUNE_FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) else {
    print("one of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
    exit(2)
}
exit(FuzzRun.start(target))
