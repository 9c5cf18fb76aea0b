import Runtime
import TestSupport
import Testing

/// The short form of `scripts/soak.sh attacks`.
@Suite struct AttackTests {
    @Test func probesAreAnsweredDuringAttacks() throws {
        let directory = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        // Limits that hold for a debug build beside other tests; the long form has those of the documentation.
        let result = try TribuneProgram.run(program: [
            "python3", "/\(directory)/scripts/attacks.py", TribuneProgram.path, "half-open", "no-readers", "forms",
            "unfinished-bodies", "malformed", "--seconds=0.5", "--clients=300", "--limit-ms=10000", "--limit-mb=800",
        ])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        #expect(result.output.split(separator: "\n").count >= 7, "\(result.output)")
    }
}
