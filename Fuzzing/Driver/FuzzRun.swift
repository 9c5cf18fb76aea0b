import CLibFuzzer
import FuzzTargets
import Glibc

/// The run of this process. libFuzzer's callback has no context, so the target is a global.
enum FuzzRun {
    nonisolated(unsafe) private static var target = FuzzTarget.expression

    /// Fuzzes `target` with the given arguments. Returns at the end of the run.
    static func start(_ target: FuzzTarget) -> Int32 {
        self.target = target
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        return LLVMFuzzerRunDriver(&count, &arguments) { bytes, length in
            let input = Array(UnsafeBufferPointer(start: bytes, count: length))
            if let finding = FuzzRun.target.finding(in: input) {
                print("finding: \(finding)")
                fflush(nil)
                abort()
            }
            return 0
        }
    }
}
