/// Functions and aggregations.
extension ExpressionGenerator {
    static let overTime = [
        "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time",
        "present_over_time", "stddev_over_time", "stdvar_over_time", "delta", "idelta", "deriv", "absent_over_time",
    ]

    mutating func overRange() -> String {
        switch roll(12) {
        case 0...3: return "\(pick(["rate", "increase", "irate"]))(\(range(Self.counters)))"
        case 4:
            return "quantile_over_time(\(chance(80) ? quantile() : "scalar(\(selector(["quota"])) / 100)"), \(range()))"
        case 5: return "predict_linear(\(range(["temperature", "pod_load", "quota"])), \(pick(["600", "-60", "1e4"])))"
        case 6:
            let counter = subquery(of: selector(Self.counters))
            return "\(pick(["rate", "increase", "irate", "resets"]))(\(counter))"
        case 7: return "\(pick(["changes", "resets"]))(\(range()))"
        case 8: return "\(pick(["max_over_time", "deriv", "avg_over_time"]))(\(subquery(of: overRange())))"
        case 9: return "quantile_over_time(\(quantile()), \(subquery(of: selector())))"
        default: return "\(pick(Self.overTime))(\(range()))"
        }
    }

    mutating func quantile() -> String { pick(["0.5", "0.37", "0.9", "0.99", "0.05", "-1", "1.5", "0", "1", "NaN"]) }

    private static let labels = ["job", "instance", "method", "code", "zone", "le", "pod", "version", "nothing"]

    private mutating func grouping() -> String {
        switch roll(6) {
        case 0: ""
        case 1: " without (\(some(of: Self.labels)))"
        case 2: " by (\(some(of: Self.labels)))"
        case 3: pick([" by ()", " without ()", " by (__name__)", " without (__name__, job)", " by (job, job)"])
        default: " by (\(pick(["job", "job, instance", "instance", "le, job", "code"])))"
        }
    }

    /// `sum by (…) (x)` or `sum (x) by (…)`.
    private mutating func grouped(_ name: String, _ arguments: String) -> String {
        let grouping = grouping()
        return chance(80) ? "\(name)\(grouping) (\(arguments))" : "\(name) (\(arguments))\(grouping)"
    }

    mutating func aggregation(_ depth: Int) -> String {
        switch roll(13) {
        case 0: return grouped("quantile", "\(chance(80) ? quantile() : scalar(1)), \(vector(depth))")
        case 1: return grouped("count_values", "\"zz\", \(selector(["up", "queue_depth", "build_info"]))")
        case 2:
            let finite = selector(["temperature", "queue_depth", "requests_total", "pod_load"])
            return grouped(pick(["stddev", "stdvar"]), finite)
        case 3: return grouped(pick(["sum", "count", "max"]), aggregation(max(0, depth - 1)))
        default: return grouped(pick(["sum", "sum", "avg", "min", "max", "count", "group"]), vector(depth))
        }
    }

    mutating func ranked() -> String {
        let name = pick(["topk", "bottomk"])
        return chance(50)
            ? grouped(name, "\(pick(["1", "0", "1000", "-3", "1.9"])), \(selector())")
            : grouped(name, "\(pick(["2", "5", "2.9", "scalar(count(up))"])), \(selector(["temperature"]))")
    }

    mutating func histogramQuantile() -> String {
        let buckets = range(["latency_seconds_bucket"])
        let argument =
            switch roll(5) {
            case 0: selector(["latency_seconds_bucket"])
            case 1: "rate(\(buckets))"
            case 2: "sum by (le) (rate(\(buckets)))"
            case 3: "sum without (\(pick(["job", "instance", "job, instance"]))) (irate(\(buckets)))"
            default: "sum by (le, \(pick(["job", "instance"]))) (increase(\(buckets)))"
            }
        let rank = pick(["0.50123", "0.37117", "0.91003", "0.98731", "-1", "1.5", "NaN", "scalar(vector(0.75431))"])
        return "histogram_quantile(\(rank), \(argument))"
    }

    private static let steady = [
        "abs", "sgn", "sqrt", "ln", "log2", "log10", "atan", "tanh", "asinh", "deg", "rad", "acos", "asin", "atanh",
    ]
    private static let erratic = ["ceil", "floor", "sin", "cos", "tan"]
    private static let steep = ["exp", "sinh", "cosh"]

    mutating func function(_ depth: Int) -> String {
        let argument = vector(depth)
        switch roll(14) {
        case 0: return "clamp(\(argument), \(scalar(0)), \(scalar(1)))"
        case 1: return "\(pick(["clamp_min", "clamp_max"]))(\(argument), \(scalar(1)))"
        case 2: return "round(\(selector())\(pick(["", ", 1", ", 0.25", ", 5", ", 100", ", -2"])))"
        case 3: return "absent(\(chance(50) ? argument : selector(["nothing_such", "up", "quota"])))"
        case 4: return "timestamp(\(chance(50) ? selector() : argument))"
        case 5: return "vector(\(scalar(2)))"
        case 6:
            let part = pick([
                "minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year",
            ])
            let times = ["", "", "quota * 1e6", "-quota * 1e8", "vector(time() - 1e9)", "strange", "timestamp(up)"]
            return "\(part)(\(pick(times)))"
        case 7: return "sum(absent_over_time(\(range(["nothing_such", "pod_load", "up"]))))"
        case 8: return "acosh(\(argument))"
        default:
            return switch roll(8) {
            case 0: "\(pick(Self.erratic))(\(selector()))"
            case 1: "\(pick(Self.steep))(\(selector(["up", "queue_depth", "pod_load"])))"
            default: "\(pick(Self.steady))(\(argument))"
            }
        }
    }

    mutating func relabelled(_ argument: String) -> String {
        switch roll(7) {
        case 0: #"label_join(\#(argument), "both", "-", "job", "instance")"#
        case 1: #"label_replace(\#(argument), "instance", "$1", "instance", "i(.*)")"#
        case 2: #"label_replace(\#(argument), "job", "", "job", "a.*")"#
        case 3: #"label_replace(\#(argument), "class", "${1}xx", "code", "(.)..")"#
        case 4: #"label_replace(\#(argument), "named", "$letter-$2-$$", "job", "(?P<letter>.)(.*)")"#
        case 5: #"label_join(\#(argument), "job", "", "job", "nothing", "job")"#
        default: #"label_replace(\#(argument), "new", "was $0", "nothing", "")"#
        }
    }
}
