import FuzzTargets
import Testing

/// Runs every input in the fuzzing corpus as part of every test run.
@Suite struct CorpusTests {
    @Test(arguments: FuzzTarget.allCases) func keptInputsRevealNothing(target: FuzzTarget) throws {
        let inputs = try FuzzCorpus.inputs(of: target)
        #expect(!inputs.isEmpty, "no inputs are kept for \(target.rawValue)")
        for (path, bytes) in inputs {
            let finding = target.finding(in: bytes)
            #expect(finding == nil, "\(path)")
        }
    }
}
