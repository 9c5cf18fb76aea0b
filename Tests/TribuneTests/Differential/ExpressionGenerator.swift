import TestSupport

/// Makes up expressions over the series of `SampleSet`, well typed, but not always free of errors when they are evaluated.
struct ExpressionGenerator {
    private var random: SeededGenerator
    private let end: Int64

    init(end: Int64, random: SeededGenerator) {
        self.end = end
        self.random = random
    }

    /// The next expression.
    mutating func next() -> String {
        switch roll(20) {
        case 0: scalar(2)
        case 1: range()
        case 2: "\(pick(["sort", "sort_desc"]))(\(vector(1)))"
        default: vector(roll(4))
        }
    }

    // MARK: Choices

    private mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

    private mutating func chance(_ percent: Int) -> Bool { roll(100) < percent }

    private mutating func pick(_ choices: [String]) -> String { choices[roll(choices.count)] }

    private mutating func some(of choices: [String]) -> String {
        choices.shuffled(using: &random).prefix(roll(choices.count + 1)).joined(separator: ", ")
    }

    // MARK: Selectors

    private static let counters = ["requests_total", "errors_total", "latency_seconds_count", "latency_seconds_bucket"]
    private static let gauges = ["temperature", "queue_depth", "up", "quota", "pod_load", "build_info"]
    private static let commonMatchers = [
        #"job="api""#, #"job!="api""#, #"job=~".+""#, #"job=~"a.*|web""#, #"nothing="""#,
    ]
    private static let matchers = [
        #"job="api""#, #"job!="api""#, #"instance=~"i[01]""#, #"instance!~"i1|i2""#, #"method="get""#, #"code=~"5..""#,
        #"code!="200""#, #"zone="north""#, #"le="+Inf""#, #"le!~"0.*""#, #"pod=~"p[3-8]""#, #"nothing="""#,
        #"version="1.1""#, #"job=~".+""#, #"job="none""#, #"zone!="""#,
    ]

    /// `NAME{…}`.
    private mutating func series(_ names: [String]) -> String {
        if chance(2) { return #"{__name__=~"requests_total|errors_total"}"# }
        let name = pick(names)
        let matchers = (0..<max(0, roll(5) - 2)).map { _ in pick(chance(60) ? Self.commonMatchers : Self.matchers) }
        return matchers.isEmpty ? name : "\(name){\(matchers.joined(separator: ","))}"
    }

    /// `offset` and `@`, seldom.
    private mutating func modifiers() -> String {
        var text = ""
        if chance(15) { text += " @ \(pick([moment(), "start()", "end()"]))" }
        if chance(15) { text += " offset \(pick(["30s", "2m", "10m", "-1m", "20m"]))" }
        return text
    }

    private mutating func moment() -> String {
        let second = end / 1000 - Int64(roll(3600))
        return "\(second).611"
    }

    private mutating func selector(_ names: [String]? = nil) -> String {
        series(names ?? Self.counters + Self.gauges + ["strange", "latency_seconds_sum"]) + modifiers()
    }

    private mutating func range(_ names: [String]? = nil) -> String {
        let text = series(names ?? Self.counters + Self.gauges + ["strange"])
        return "\(text)[\(pick(["40s", "1m", "2m", "5m", "10m", "25m"]))]\(modifiers())"
    }

    /// A range of a minute's fraction, so that no step of a subquery lies on its edge.
    private mutating func subquery(of expression: String) -> String {
        "(\(expression))[\(pick(["2m1s", "5m1s", "10m1s", "21m1s"])):\(pick(["", "10s", "30s", "1m", "2m"]))]\(modifiers())"
    }

    // MARK: Vectors

    private mutating func vector(_ depth: Int) -> String {
        guard depth > 0 else { return chance(50) ? selector() : overRange() }
        switch roll(20) {
        case 0: return selector()
        case 1, 2: return overRange()
        case 3, 4: return "\(pick(Self.overTime))(\(subquery(of: vector(depth - 1))))"
        case 5...9: return aggregation(depth - 1)
        case 10...13: return binary(depth - 1)
        case 14, 15: return function(depth - 1)
        case 16: return histogramQuantile()
        case 17: return relabelled(vector(depth - 1))
        case 18: return ranked()
        default: return pick(["-", "+"]) + "(\(vector(depth - 1)))"
        }
    }

    private static let overTime = [
        "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time",
        "present_over_time", "stddev_over_time", "stdvar_over_time", "delta", "idelta", "deriv", "absent_over_time",
    ]

    private mutating func overRange() -> String {
        switch roll(10) {
        case 0...3: return "\(pick(["rate", "increase", "irate"]))(\(range(Self.counters)))"
        case 4: return "quantile_over_time(\(quantile()), \(range()))"
        case 5: return "predict_linear(\(range(["temperature", "pod_load", "quota"])), \(pick(["600", "-60", "1e4"])))"
        case 6:
            let counter = subquery(of: selector(Self.counters))
            return "\(pick(["rate", "increase", "irate", "resets"]))(\(counter))"
        case 7: return "\(pick(["changes", "resets"]))(\(range()))"
        default: return "\(pick(Self.overTime))(\(range()))"
        }
    }

    private mutating func quantile() -> String { pick(["0.5", "0.37", "0.9", "0.99", "0.05", "-1", "1.5", "0"]) }

    private static let labels = ["job", "instance", "method", "code", "zone", "le", "pod", "version", "nothing"]

    private mutating func grouping() -> String {
        switch roll(5) {
        case 0: ""
        case 1: " without (\(some(of: Self.labels)))"
        case 2: " by (\(some(of: Self.labels)))"
        default: " by (\(pick(["job", "job, instance", "instance", "le, job", "code"])))"
        }
    }

    private mutating func aggregation(_ depth: Int) -> String {
        switch roll(12) {
        case 0: return "quantile\(grouping()) (\(quantile()), \(vector(depth)))"
        case 1: return "count_values\(grouping()) (\"zz\", \(selector(["up", "queue_depth", "build_info"])))"
        case 2:
            let finite = selector(["temperature", "queue_depth", "requests_total", "pod_load"])
            return "\(pick(["stddev", "stdvar"]))\(grouping()) (\(finite))"
        default: return "\(pick(["sum", "sum", "avg", "min", "max", "count", "group"]))\(grouping()) (\(vector(depth)))"
        }
    }

    /// Over series whose values all differ.
    private mutating func ranked() -> String {
        "\(pick(["topk", "bottomk"]))\(grouping()) (\(pick(["1", "2", "5", "0", "1000"])), \(selector(["temperature"])))"
    }

    private mutating func histogramQuantile() -> String {
        let buckets = range(["latency_seconds_bucket"])
        let argument =
            switch roll(4) {
            case 0: selector(["latency_seconds_bucket"])
            case 1: "rate(\(buckets))"
            case 2: "sum by (le) (rate(\(buckets)))"
            default: "sum by (le, \(pick(["job", "instance"]))) (increase(\(buckets)))"
            }
        let rank = pick(["0.50123", "0.37117", "0.91003", "0.98731", "-1", "1.5"])
        return "histogram_quantile(\(rank), \(argument))"
    }

    private mutating func function(_ depth: Int) -> String {
        let argument = vector(depth)
        switch roll(12) {
        case 0: return "clamp(\(argument), \(scalar(0)), \(scalar(0)))"
        case 1: return "\(pick(["clamp_min", "clamp_max"]))(\(argument), \(scalar(1)))"
        case 2: return "round(\(selector()), \(pick(["1", "0.25", "5", "100"])))"
        case 3: return "absent(\(argument))"
        case 4: return "timestamp(\(chance(50) ? selector() : argument))"
        case 5: return "vector(\(scalar(1)))"
        case 6:
            let part = pick([
                "minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year",
            ])
            return "\(part)(\(chance(50) ? "" : "quota * 1e6"))"
        default:
            let name = pick([
                "abs", "ceil", "floor", "sgn", "sqrt", "exp", "ln", "log2", "log10", "sin", "cos", "atan", "tanh",
                "asinh",
                "deg", "rad",
            ])
            return "\(name)(\(["ceil", "floor", "sin", "cos", "exp"].contains(name) ? selector() : argument))"
        }
    }

    private mutating func relabelled(_ argument: String) -> String {
        switch roll(4) {
        case 0: #"label_join(\#(argument), "both", "-", "job", "instance")"#
        case 1: #"label_replace(\#(argument), "instance", "$1", "instance", "i(.*)")"#
        case 2: #"label_replace(\#(argument), "job", "", "job", "a.*")"#
        default: #"label_replace(\#(argument), "class", "${1}xx", "code", "(.)..")"#
        }
    }

    // MARK: Operators

    private static let arithmetic = ["+", "-", "*", "/", "%", "^"]
    private static let comparisons = ["==", "!=", "<", ">", "<=", ">="]

    private mutating func operation() -> String {
        chance(60) ? pick(Self.arithmetic) : pick(Self.comparisons) + (chance(50) ? " bool" : "")
    }

    private mutating func binary(_ depth: Int) -> String {
        switch roll(6) {
        case 0: return "(\(vector(depth))) \(operation()) \(scalar(1))"
        case 1: return "\(scalar(1)) \(operation()) (\(vector(depth)))"
        case 2:
            let matching = pick(["", "", " on (job)", " on (job, instance)", " ignoring (code, method)"])
            return "(\(vector(depth))) \(pick(["and", "or", "unless"]))\(matching) (\(vector(depth)))"
        case 3:
            let same = selector()
            return "\(same) \(operation()) \(chance(50) ? same : selector())"
        case 4:
            let key = pick(["job", "job, instance"])
            let one = "\(pick(["sum", "max", "avg", "count"])) by (\(key)) (\(vector(depth)))"
            let many = "(\(vector(depth)))"
            return chance(50)
                ? "\(many) \(operation()) on (\(key)) group_left () \(one)"
                : "\(one) \(operation()) on (\(key)) group_right () \(many)"
        default:
            let left = selector(["requests_total", "errors_total", "queue_depth", "temperature"])
            return "\(left) \(operation()) on (job, instance) group_left (version) (\(selector(["build_info"])))"
        }
    }

    // MARK: Scalars

    private mutating func scalar(_ depth: Int) -> String {
        guard depth > 0 else { return pick(["0", "1", "2.5", "-3", "100", "Inf", "NaN", "0x1F", "1e3"]) }
        switch roll(7) {
        case 0: return "scalar(\(chance(50) ? selector(["quota"]) : "sum(\(selector()))"))"
        case 1: return pick(["time()", "pi()"])
        case 2: return "(\(scalar(depth - 1)) \(pick(Self.arithmetic)) \(scalar(depth - 1)))"
        case 3:
            return "(\(scalar(depth - 1)) \(pick(Self.comparisons)) \(chance(90) ? "bool " : "")\(scalar(depth - 1)))"
        default: return scalar(0)
        }
    }
}
