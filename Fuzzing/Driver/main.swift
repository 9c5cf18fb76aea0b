// Runs libFuzzer on one target: `FuzzDriver TARGET [LIBFUZZER-ARGUMENT...]`. See Fuzzing/run.

import CLibFuzzer
import FuzzTargets
import Glibc

guard CommandLine.argc > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
    print("one of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
    exit(2)
}
exit(FuzzRun.start(target))
