import Glibc
import Runtime
import TestSupport
import Testing

/// Random expressions to Debian's Prometheus and to `tribune serve`, which hold the same samples.
@Suite struct DifferentialTests {
    private static let isThere = access("/usr/bin/prometheus", X_OK) == 0

    /// Always the same expressions; `TRIBUNE_SEED` asks for others, `TRIBUNE_EXPRESSIONS` for more.
    @Test(.enabled(if: isThere, "Debian's prometheus is not installed")) func answersAreThoseOfPrometheus() throws {
        var random = getenv("TRIBUNE_SEED") == nil ? SeededGenerator(seed: 1) : SeededGenerator()
        let wanted = getenv("TRIBUNE_EXPRESSIONS").flatMap { Int(String(cString: $0)) } ?? 300
        let end = SystemClock.wallMilliseconds() / 60_000 * 60_000
        let theirs = try ComparedServer.prometheus()
        let ours = try ComparedServer.tribune()
        for message in SampleSet(end: end, random: random).messages() {
            try theirs.write(message)
            try ours.write(message)
        }
        var generator = ExpressionGenerator(end: end, random: random)
        var (agreed, errors, empty) = (0, 0, 0)
        for _ in 0..<wanted {
            let expression = generator.next()
            guard !KnownDifference.all.contains(where: { $0.concerns(expression) }) else {
                continue
            }
            for question in Self.questions(expression, end: end, using: &random) {
                let wantedAnswer = try theirs.ask(question.path, question.parameters)
                let answer = try ours.ask(question.path, question.parameters)
                if KnownDifference.all.contains(where: { $0.explains(answer, against: wantedAnswer) }) { continue }
                #expect(
                    answer.agrees(with: wantedAnswer),
                    """
                    TRIBUNE_SEED=\(random.seed), samples end at \(end)
                    \(question.path) \(question.parameters.map { "\($0.name)=\($0.value)" }.joined(separator: " "))
                    Prometheus: \(wantedAnswer)
                    Tribune:    \(answer)
                    """)
                agreed += answer.agrees(with: wantedAnswer) ? 1 : 0
                errors += wantedAnswer.isError ? 1 : 0
                empty += wantedAnswer.isEmpty ? 1 : 0
            }
        }
        print("seed \(random.seed): \(agreed) answers agree, \(errors) of them errors, \(empty) without values")
    }

    private typealias Question = (path: String, parameters: [(name: String, value: String)])

    /// No evaluation falls on a whole second, where bounds of ranges are.
    private static func questions(
        _ expression: String, end: Int64, using random: inout SeededGenerator
    ) -> [Question] {
        let second = end / 1000 - Int64.random(in: 0..<3300, using: &random)
        let step = [15, 45, 60, 300].randomElement(using: &random) ?? 60
        let from = second - Int64(step) * Int64.random(in: 1...40, using: &random)
        return [
            ("query", [("query", expression), ("time", "\(second).611")]),
            (
                "query_range",
                [("query", expression), ("start", "\(from).611"), ("end", "\(second).611"), ("step", "\(step)")]
            ),
        ]
    }
}
