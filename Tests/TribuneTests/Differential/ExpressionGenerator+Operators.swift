/// Operators and scalars.
extension ExpressionGenerator {
    private static let arithmetic = ["+", "-", "*", "/", "%", "^"]
    private static let comparisons = ["==", "!=", "<", ">", "<=", ">="]
    private static let sets = ["and", "or", "unless"]

    private mutating func operation() -> String {
        chance(60) ? pick(Self.arithmetic) : pick(Self.comparisons) + (chance(50) ? " bool" : "")
    }

    mutating func binary(_ depth: Int) -> String {
        switch roll(9) {
        case 0: return "(\(vector(depth))) \(operation()) \(scalar(1))"
        case 1: return "\(scalar(1)) \(operation()) (\(vector(depth)))"
        case 2:
            let matchings = [
                "", "", " on (job)", " on (job, instance)", " ignoring (code, method)", " on ()", " ignoring ()",
            ]
            return "(\(vector(depth))) \(pick(Self.sets))\(pick(matchings)) (\(vector(depth)))"
        case 3:
            let same = selector()
            return "\(same) \(operation()) \(chance(50) ? same : selector())"
        case 4, 5:
            let key = pick(["job", "job, instance", "instance", ""])
            let one = "\(pick(["sum", "max", "avg", "count"])) by (\(key)) (\(vector(depth)))"
            let many = "(\(vector(depth)))"
            let include = pick(["", "", "zone", "code, nothing"])
            return chance(50)
                ? "\(many) \(operation()) on (\(key)) group_left (\(include)) \(one)"
                : "\(one) \(operation()) on (\(key)) group_right (\(include)) \(many)"
        case 6:
            let matching = pick(["ignoring (code)", "ignoring (method)", "ignoring (code, method)"])
            let many = "sum without (instance) (\(selector(["requests_total"])))"
            let one = "sum by (job, \(pick(["code", "method"]))) (\(selector(["requests_total"])))"
            return "\(many) \(operation()) \(matching) group_left \(one)"
        case 7:
            // Precedence: operators without parentheses between them.
            let last = chance(30) ? " \(pick(Self.sets)) \(selector(["up"]))" : ""
            return "\(scalar(0)) \(pick(Self.arithmetic)) \(selector(["up"])) \(pick(Self.arithmetic)) \(scalar(0)) "
                + "\(pick(Self.comparisons)) -\(scalar(0))\(last)"
        default:
            let left = selector(["requests_total", "errors_total", "queue_depth", "temperature"])
            let right = selector(["build_info"])
            return chance(60)
                ? "\(left) \(operation()) on (job, instance) group_left (version) (\(right))"
                : "(\(right)) \(operation()) on (job, instance) group_right (version) \(left)"
        }
    }

    mutating func scalar(_ depth: Int) -> String {
        guard depth > 0 else {
            return pick(["0", "1", "2.5", "-3", "100", "Inf", "NaN", "0x1F", "1e3", ".5", "5.", "-Inf", "+7", "1e-3"])
        }
        switch roll(8) {
        case 0: return "scalar(\(chance(50) ? selector(["quota"]) : "sum(\(selector()))"))"
        case 1: return pick(["time()", "pi()"])
        case 2: return "(\(scalar(depth - 1)) \(pick(Self.arithmetic)) \(scalar(depth - 1)))"
        case 3:
            return "(\(scalar(depth - 1)) \(pick(Self.comparisons)) \(chance(90) ? "bool " : "")\(scalar(depth - 1)))"
        case 4: return "(\(scalar(0)) ^ \(scalar(0)) * \(scalar(0)) - \(scalar(0)) % \(scalar(0)))"
        case 5: return "-\(scalar(depth - 1))"
        default: return scalar(0)
        }
    }
}
