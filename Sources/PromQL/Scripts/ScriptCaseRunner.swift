internal import MetricModel
internal import RE2

/// Evaluates one case of a script and compares the result.
///
/// An instant case is evaluated several times with the same expectation: as written; at other times with the time fixed
/// by `@`; and each of these as a range query around that time.
struct ScriptCaseRunner {
    let engine: QueryEngine
    let source: MemorySource

    func run(_ evaluation: ScriptEvaluation) throws(ScriptFault) {
        switch evaluation.times {
        case .range(let start, let end, let step):
            let outcome = Self.outcome { () throws(QueryError) in
                try engine.range(evaluation.expression, start: start, end: end, step: step, from: source)
            }
            guard let result = try check(outcome, of: evaluation) else { return }
            try compareRange(result, with: evaluation, start: start, step: step)
        case .instant(let moment):
            try instant(evaluation, evaluation.expression, at: moment, note: "")
            guard let fixed = evaluation.expression.fixed(at: moment) else { return }
            for time in Self.otherTimes(than: moment) {
                let note = " with @ \(moment.milliseconds) ms, at \(time.milliseconds) ms"
                try instant(evaluation, fixed, at: time, note: note)
            }
        }
    }

    private static func otherTimes(than moment: Timestamp) -> [Timestamp] {
        let time = moment.milliseconds
        let others = time == 0 ? [-1000, 0, 1000] : [0, time / 5, time, time * 10, -time * 10]
        return others.map { Timestamp(milliseconds: $0) }
    }

    private static func outcome(
        _ body: () throws(QueryError) -> QueryResult
    ) -> Result<QueryResult, QueryError> {
        do {
            return .success(try body())
        } catch {
            return .failure(error)
        }
    }

    /// Evaluates at one time, then in the middle of a range.
    private func instant(
        _ evaluation: ScriptEvaluation, _ expression: Expression, at moment: Timestamp, note: String
    ) throws(ScriptFault) {
        do throws(ScriptFault) {
            let outcome = Self.outcome { () throws(QueryError) in
                try engine.instant(expression, at: moment, from: source)
            }
            guard let result = try check(outcome, of: evaluation) else { return }
            try compareInstant(result, with: evaluation)
        } catch {
            throw ScriptFault(error.reason + note)
        }
        guard evaluation.hasSameResultInRange else { return }
        do throws(ScriptFault) {
            let minute = Milliseconds.minutes(1)
            let outcome = Self.outcome { () throws(QueryError) in
                try engine.range(
                    expression, start: moment - minute, end: moment + minute, step: minute, from: source)
            }
            guard case .success(let result) = outcome else {
                if case .failure(let error) = outcome { throw ScriptFault("\(error)") }
                return
            }
            guard !evaluation.isOrdered else { return }
            try compareMiddle(result, at: moment, with: evaluation)
        } catch {
            throw ScriptFault("\(error.reason)\(note), in a range query")
        }
    }

    /// The result, after its annotations were checked; `nil` for an expected failure.
    private func check(
        _ outcome: Result<QueryResult, QueryError>, of evaluation: ScriptEvaluation
    ) throws(ScriptFault) -> QueryResult? {
        switch (outcome, evaluation.outcome) {
        case (.failure(let error), .failure(let expected)):
            if let expected, !expected.fits(error.description) {
                throw ScriptFault("expected error \(expected.summary), got \(error)")
            }
            return nil
        case (.failure(let error), _): throw ScriptFault("unexpected error: \(error)")
        case (.success, .failure): throw ScriptFault("expected an error, got none")
        case (.success(let result), _):
            try evaluation.warnings.check(result.annotations.warnings(in: evaluation.text), "warning")
            try evaluation.infos.check(result.annotations.infos(in: evaluation.text), "info")
            return result
        }
    }
}

// Results.
extension ScriptCaseRunner {
    private func compareInstant(_ result: QueryResult, with evaluation: ScriptEvaluation) throws(ScriptFault) {
        switch (evaluation.outcome, result.value) {
        case (.scalar(let expected), .scalar(let value, _)):
            guard ScriptComparison.equal(expected, value) else {
                throw ScriptFault("expected scalar \(text(expected)), got \(text(value))")
            }
        case (.string(let expected), .string(let value, _)):
            guard ByteOrder.equal(expected, value) else {
                throw ScriptFault(
                    "expected string \(MetricText.quoted(expected)), got \(MetricText.quoted(value))")
            }
        case (.series(let rows), .vector(let elements)):
            try ScriptComparison.compare(elements, with: rows, isOrdered: evaluation.isOrdered)
        case (.rangeVector(let rows, let start, let step), .matrix(let series)):
            try ScriptComparison.compare(series, with: rows, start: start, step: step)
        default: throw wrongType(result, evaluation)
        }
    }

    private func compareRange(
        _ result: QueryResult, with evaluation: ScriptEvaluation, start: Timestamp, step: Milliseconds
    ) throws(ScriptFault) {
        guard case .series(let rows) = evaluation.outcome, case .matrix(let series) = result.value else {
            throw wrongType(result, evaluation)
        }
        guard zip(series, series.dropFirst()).allSatisfy({ $0.labels < $1.labels }) else {
            throw ScriptFault("result is not sorted by labels")
        }
        try ScriptComparison.compare(series, with: rows, start: start, step: step)
    }

    /// Compares the point of each series at `moment` with the expected result of an instant query.
    private func compareMiddle(
        _ result: QueryResult, at moment: Timestamp, with evaluation: ScriptEvaluation
    ) throws(ScriptFault) {
        guard case .matrix(let series) = result.value else { throw wrongType(result, evaluation) }
        guard zip(series, series.dropFirst()).allSatisfy({ $0.labels < $1.labels }) else {
            throw ScriptFault("result is not sorted by labels")
        }
        let elements = series.compactMap { series -> VectorElement? in
            guard let index = series.timestamps.firstIndex(of: moment.milliseconds) else { return nil }
            let histogram = series.histograms.isEmpty ? nil : series.histograms[index]
            return VectorElement(
                labels: series.labels, timestamp: moment, value: series.values[index], histogram: histogram)
        }
        switch evaluation.outcome {
        case .scalar(let expected):
            guard let value = elements.first?.value, ScriptComparison.equal(expected, value) else {
                throw ScriptFault(
                    "expected scalar \(text(expected)), got \(elements.first.map { text($0.value) } ?? "nothing")")
            }
        case .series(let rows): try ScriptComparison.compare(elements, with: rows, isOrdered: false)
        case .string, .rangeVector, .failure: break
        }
    }

    private func wrongType(_ result: QueryResult, _ evaluation: ScriptEvaluation) -> ScriptFault {
        let expected =
            switch evaluation.outcome {
            case .scalar: "a scalar"
            case .string: "a string"
            case .series, .failure: "a vector or matrix"
            case .rangeVector: "a range vector"
            }
        return ScriptFault("expected \(expected), got a \(result.value.type.rawValue)")
    }

    private func text(_ value: Double) -> String { FloatText.general(value) }
}

extension ScriptEvaluation {
    /// Whether a range query has the same result at the time of the instant query.
    fileprivate var hasSameResultInRange: Bool {
        switch outcome {
        case .string, .rangeVector, .failure: false
        case .scalar, .series: !["start()", "end()", "range()", "step()"].contains { text.contains($0) }
        }
    }
}

extension AnnotationExpectation {
    fileprivate func check(_ texts: [String], _ level: String) throws(ScriptFault) {
        switch self {
        case .any: break
        case .none:
            if !texts.isEmpty { throw ScriptFault("unexpected \(level) annotations: \(texts)") }
        case .some(let expected):
            if texts.isEmpty { throw ScriptFault("expected \(level) annotations, got none") }
            for expectation in expected where !texts.contains(where: expectation.fits) {
                throw ScriptFault("expected a \(level) annotation \(expectation.summary), got \(texts)")
            }
            guard !expected.isEmpty else { return }
            for text in texts where !expected.contains(where: { $0.fits(text) }) {
                throw ScriptFault("unexpected \(level) annotation: \(text)")
            }
        }
    }
}

extension TextExpectation {
    fileprivate func fits(_ text: String) -> Bool {
        switch self {
        case .exactly(let expected): text == expected
        // The pattern was compiled when the script was read.
        case .matching(let pattern): (try? RegularExpression(pattern))?.matchesAnywhere(text) ?? false
        }
    }

    fileprivate var summary: String {
        switch self {
        case .exactly(let text): MetricText.quoted(text)
        case .matching(let pattern): "matching \(MetricText.quoted(pattern))"
        }
    }
}
