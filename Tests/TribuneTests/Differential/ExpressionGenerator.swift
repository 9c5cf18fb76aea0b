import TestSupport

/// Makes up expressions over the series of `SampleSet`, well typed, but not always free of errors when they are
/// evaluated.
struct ExpressionGenerator {
    private var random: SeededGenerator
    private let end: Int64

    init(end: Int64, random: SeededGenerator) {
        self.end = end
        self.random = random
    }

    /// The next expression.
    mutating func next() -> String {
        switch roll(28) {
        case 24, 25: histogram(roll(4))
        case 26, 27: numberOfHistogram(roll(3))
        case 0: scalar(3)
        case 1: range()
        case 2: subquery(of: vector(1))
        case 3: "\(pick(["sort", "sort_desc"]))(\(vector(1)))"
        case 4: pick([#""a \"text\"""#, "'one more'", "`raw \\n`"])
        default: vector(roll(5))
        }
    }

    // MARK: Choices

    mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

    mutating func chance(_ percent: Int) -> Bool { roll(100) < percent }

    mutating func pick(_ choices: [String]) -> String { choices[roll(choices.count)] }

    mutating func some(of choices: [String]) -> String {
        choices.shuffled(using: &random).prefix(roll(choices.count + 1)).joined(separator: ", ")
    }

    // MARK: Selectors

    static let counters = ["requests_total", "errors_total", "latency_seconds_count", "latency_seconds_bucket"]
    static let gauges = ["temperature", "queue_depth", "up", "quota", "pod_load", "build_info"]
    private static let commonMatchers = [
        #"job="api""#, #"job!="api""#, #"job=~".+""#, #"job=~"a.*|web""#, #"nothing="""#, #"job!~"x|web""#,
    ]
    private static let matchers = [
        #"job="api""#, #"job!="api""#, #"instance=~"i[01]""#, #"instance!~"i1|i2""#, #"method="get""#, #"code=~"5..""#,
        #"code!="200""#, #"zone="north""#, #"le="+Inf""#, #"le!~"0.*""#, #"pod=~"p[3-8]""#, #"nothing="""#,
        #"version="1.1""#, #"job=~".+""#, #"job="none""#, #"zone!="""#, #"code=~"(?i:2.*)|404""#, #"method!~"p..t""#,
        #"zone=~"""#, #"pod=~".*""#, #"le=~"0\\.1|1|.*5""#,
    ]

    /// `NAME{…}`.
    private mutating func series(_ names: [String]) -> String {
        if chance(2) { return #"{__name__=~"requests_total|errors_total"}"# }
        if chance(2) { return #"{job="api",__name__!~".*seconds.*|up"}"# }
        let name = pick(names)
        let matchers = (0..<max(0, roll(5) - 2)).map { _ in pick(chance(60) ? Self.commonMatchers : Self.matchers) }
        if chance(3) { return #"{__name__="\#(name)"\#(matchers.map { ",\($0)" }.joined())}"# }
        return matchers.isEmpty ? name : "\(name){\(matchers.joined(separator: ","))}"
    }

    /// `offset` and `@` in either order, seldom.
    private mutating func modifiers() -> String {
        var parts: [String] = []
        if chance(15) { parts.append("@ \(pick([moment(), "start()", "end()"]))") }
        if chance(15) { parts.append("offset \(pick(["30s", "2m", "10m", "-1m", "20m", "1m30s", "-10m"]))") }
        if chance(50) { parts.reverse() }
        return parts.map { " " + $0 }.joined()
    }

    private mutating func moment() -> String {
        let second = end / 1000 - Int64(roll(3600))
        return "\(second).611"
    }

    mutating func selector(_ names: [String]? = nil) -> String {
        series(names ?? Self.counters + Self.gauges + ["strange", "latency_seconds_sum"]) + modifiers()
    }

    mutating func range(_ names: [String]? = nil) -> String {
        let text = series(names ?? Self.counters + Self.gauges + ["strange"])
        return "\(text)[\(pick(["40s", "1m", "2m", "5m", "10m", "25m", "1m20s"]))]\(modifiers())"
    }

    /// A range with a fraction of a second, so that no step of a subquery is at its edge, also in nested subqueries.
    mutating func subquery(of expression: String) -> String {
        let steps = ["", "10s", "30s", "1m", "2m", "17s"]
        let ranges = ["2m1s500ms", "5m1s500ms", "10m1s500ms", "21m1s500ms"]
        return "(\(expression))[\(pick(ranges)):\(pick(steps))]\(modifiers())"
    }

    // MARK: Vectors

    mutating func vector(_ depth: Int) -> String {
        guard depth > 0 else { return chance(50) ? selector() : overRange() }
        switch roll(22) {
        case 0: return selector()
        case 1, 2: return overRange()
        case 3, 4: return "\(pick(Self.overTime))(\(subquery(of: vector(depth - 1))))"
        case 5...9: return aggregation(depth - 1)
        case 10...14: return binary(depth - 1)
        case 15, 16: return function(depth - 1)
        case 17: return histogramQuantile()
        case 18: return relabelled(vector(depth - 1))
        case 19: return ranked()
        default:
            let operand = vector(depth - 1)
            return "\(operand.contains(" or ") ? "+" : pick(["-", "+"]))(\(operand))"
        }
    }
}
