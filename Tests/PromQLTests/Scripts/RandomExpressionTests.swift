import MetricModel
import TestSupport
import Testing

@testable import PromQL

/// Expressions composed of pieces of others, over samples of every kind.
@Suite struct RandomExpressionTests {
    @Test func evaluationEndsWithAValueOrAnError() throws {
        var generator = SeededGenerator()
        let source = try Self.source()
        let pieces = try Self.pieces()
        var options = EngineOptions()
        options.maximumSamples = 20_000
        for _ in 0..<3000 {
            options.delayedNameRemoval = Bool.random(using: &generator)
            options.useStartTimestamps = Bool.random(using: &generator)
            let expression = Self.grown(pieces, depth: Int.random(in: 0...3, using: &generator), using: &generator)
            // Random combinations need not have the right types.
            guard let checked = try? PromQL.Expression.parse(expression.description, features: .all) else { continue }
            let engine = QueryEngine(options: options)
            let moment = Timestamp(milliseconds: Int64.random(in: -60_000...900_000, using: &generator))
            let step = Milliseconds(rawValue: Int64.random(in: 1...300_000, using: &generator))
            do {
                let instant = try engine.instant(checked, at: moment, from: source)
                _ = try engine.range(checked, start: moment, end: moment + step * 7, step: step, from: source)
                #expect(Self.isConsistent(instant), "seed \(generator.seed): \(checked)")
            } catch {
                #expect(!error.description.isEmpty, "seed \(generator.seed): \(checked)")
            }
        }
    }

    /// No label set may occur twice.
    private static func isConsistent(_ result: QueryResult) -> Bool {
        switch result.value {
        case .vector(let elements): Set(elements.map(\.labels)).count == elements.count
        case .matrix(let series): Set(series.map(\.labels)).count == series.count
        case .scalar, .string: true
        }
    }

    /// One of the pieces, with parts of it replaced by other pieces.
    private static func grown(
        _ pieces: [PromQL.Expression], depth: Int, using generator: inout SeededGenerator
    ) -> PromQL.Expression {
        let base = pieces.randomElement(using: &generator) ?? pieces[0]
        return depth == 0
            ? base : replacingParts(of: base, pieces, depth: depth, using: &generator)
    }

    private static func replacingParts(
        of base: PromQL.Expression, _ pieces: [PromQL.Expression], depth: Int, using generator: inout SeededGenerator
    ) -> PromQL.Expression {
        base.replacing { part in
            guard Int.random(in: 0..<3, using: &generator) == 0 else { return nil }
            let candidates = pieces.filter { $0.valueType == part.valueType }
            guard let other = candidates.randomElement(using: &generator) else { return nil }
            let grown = replacingParts(of: other, pieces, depth: depth - 1, using: &generator)
            return .paren(Paren(expression: depth > 1 ? grown : other, range: SourceRange(0, 0)))
        }
    }

    private static func pieces() throws -> [PromQL.Expression] {
        var texts = [
            "c", "g", "h", "n", "nc", "m", "{__name__=~\".+\"}", "c{x=\"1\"}", "n @ 300", "c offset -1m", "1", "0",
            "-1.5", "NaN",
            "Inf", "1e300", "time()", "c[5m]", "n[3m]", "m[10m]", "nc[5m]", "c[7m] smoothed", "n[7m] anchored",
            "h smoothed",
            "c[10m:30s]", "n[5m:] offset 1m", "(c + g)[4m:50s] @ end()", "c[step() + 1m]", "\"le\"", "\"x\"",
            "\"(.*)\"", "\"$1\"",
            "c + on (x) group_left g", "n - n", "n * 2", "n / c", "c > bool 2", "c == g", "c and n", "c or n",
            "c unless on (x) g",
            "c + fill (3) g", "n </ 2", "n >/ -1", "nc </ c", "-n", "c ^ g", "c % 3", "c atan2 g", "sum(c)",
            "avg by (x) (n)",
            "topk(2, c)", "quantile(0.5, c)", "count_values(\"v\", m)", "limitk(2, m)", "limit_ratio(-0.5, m)",
            "stddev(c)",
        ]
        for function in Function.all {
            let arguments = function.argumentTypes.map { type in
                switch type {
                case .matrix: "m[5m]"
                case .vector: "m"
                case .scalar: "0.5"
                default: "\"x\""
                }
            }
            texts.append("\(function.name)(\(arguments.joined(separator: ", ")))")
        }
        texts.removeAll { $0.hasPrefix("info(") }
        texts.append("info(m)")
        return try texts.map { try PromQL.Expression.parse($0, features: .all) }
    }

    private static func source() throws -> MemorySource {
        let source = MemorySource()
        let lines = [
            "c{x=\"1\"} 0+3x10 2+5x10", "c{x=\"2\"} 1 _ NaN 4 stale 6 -Inf 7 Inf _x3 1e308x4", "g{x=\"1\"} -5+1x20",
            "h{le=\"0.1\", x=\"1\"} 0+1x20", "h{le=\"1\", x=\"1\"} 0+3x20", "h{le=\"+Inf\", x=\"1\"} 0+4x20",
            "h{le=\"bad\", x=\"1\"} 1x20",
            "n{x=\"1\"} {{schema:1 count:5 sum:4 z_bucket:1 z_bucket_w:0.01 buckets:[1 2] n_buckets:[1]}}+{{schema:1 count:4 sum:1 buckets:[2 1 1]}}x12",
            "n{x=\"2\"} {{schema:0 count:2 sum:NaN buckets:[2]}} _ {{schema:3 count:1 buckets:[0 1] offset:-9}}x9",
            "n{x=\"3\"} {{counter_reset_hint:gauge count:-3 sum:-Inf buckets:[-1 -2]}}x9 stale {{}}",
            "nc{x=\"1\"} {{schema:-53 custom_values:[1 2 5] count:6 sum:9 buckets:[1 2 3]}}x9 {{schema:-53 custom_values:[2 7] count:8 sum:9 buckets:[5 3]}}x9",
            "m{x=\"1\"} 1 {{count:1 sum:2 buckets:[1]}} 3 {{schema:-53 custom_values:[1] count:1 buckets:[1]}} 5 stale 7x9",
            "m{x=\"2\"} {{schema:8 offset:2147483647 buckets:[1 1] count:2}} {{schema:-4 offset:-2147483648 buckets:[1] count:1}}x4 -0 5x9",
            "m{x=\"3\", __type__=\"counter\"} 5 4 3 2 1 1x9",
        ]
        for line in lines { source.append(try SeriesNotation(parsing: line), interval: .minutes(1)) }
        source.append(
            .init(time: Timestamp(milliseconds: 333_333), value: 9, start: Timestamp(milliseconds: 111)),
            to: Labels(metric: "c", [Label("x", "1")]))
        return source
    }
}

extension PromQL.Expression {
    /// The expression with the children replaced for which `replacement` returns a value.
    fileprivate func replacing(_ replacement: (PromQL.Expression) -> PromQL.Expression?) -> PromQL.Expression {
        func new(_ child: PromQL.Expression) -> PromQL.Expression { replacement(child) ?? child }
        switch self {
        case .number, .string, .vectorSelector, .matrixSelector: return self
        case .subquery(var node):
            node.expression = new(node.expression)
            return .subquery(node)
        case .call(var node):
            node.arguments = node.arguments.map(new)
            return .call(node)
        case .aggregate(var node):
            node.expression = new(node.expression)
            node.parameter = node.parameter.map(new)
            return .aggregate(node)
        case .binary(var node):
            (node.left, node.right) = (new(node.left), new(node.right))
            return .binary(node)
        case .unary(var node):
            node.expression = new(node.expression)
            return .unary(node)
        case .paren(var node):
            node.expression = new(node.expression)
            return .paren(node)
        }
    }
}
