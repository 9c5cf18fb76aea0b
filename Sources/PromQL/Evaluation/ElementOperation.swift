internal import MetricModel

/// A binary operator applied to two elements of vectors (or an element and a scalar).
struct ElementOperation {
    let `operator`: BinaryOperator
    let run: Run
    /// Where the operation stands.
    let position: SourceRange

    /// What comes out: a value, and whether a filter keeps the element.
    struct Outcome {
        var sample: Sample
        var isKept: Bool
    }

    /// The result; `nil` with a remark where the operator has no meaning for these types.
    func apply(_ left: Sample, _ right: Sample) -> Outcome? {
        switch (left, right) {
        case (.float(let left), .float(let right)): floats(left, right)
        case (.float(let left), .histogram(let right)):
            self.operator == .multiply ? scaled(right) { $0.scale(by: left) } : incompatible("float", "histogram")
        case (.histogram(let left), .float(let right)): mixed(left, right)
        case (.histogram(let left), .histogram(let right)): histograms(left, right)
        }
    }

    private func floats(_ left: Double, _ right: Double) -> Outcome? {
        switch self.operator {
        case .trimUpper, .trimLower: return incompatible("float", "float")
        case _ where self.operator.isComparison:
            return Outcome(sample: .float(left), isKept: self.operator.holds(left, right))
        default: return Outcome(sample: .float(self.operator.applied(to: left, right)), isKept: true)
        }
    }

    private func mixed(_ histogram: FloatHistogram, _ number: Double) -> Outcome? {
        switch self.operator {
        case .multiply: scaled(histogram) { $0.scale(by: number) }
        case .divide: scaled(histogram) { $0.divide(by: number) }
        case .trimUpper: Outcome(sample: .histogram(histogram.trimmed(above: number)), isKept: true)
        case .trimLower: Outcome(sample: .histogram(histogram.trimmed(below: number)), isKept: true)
        default: incompatible("histogram", "float")
        }
    }

    private func histograms(_ left: FloatHistogram, _ right: FloatHistogram) -> Outcome? {
        switch self.operator {
        case .add: return combined(left, "addition") { $0.add(right) }
        case .subtract:
            return combined(left, "subtraction") { sum in
                let outcome = sum.subtract(right)
                sum.counterResetHint = .gauge
                return outcome
            }
        case .equal: return Outcome(sample: .histogram(left), isKept: left.isEqual(to: right))
        case .notEqual: return Outcome(sample: .histogram(left), isKept: !left.isEqual(to: right))
        default: return incompatible("histogram", "histogram")
        }
    }

    private func scaled(_ histogram: FloatHistogram, _ change: (inout FloatHistogram) -> Void) -> Outcome {
        var result = histogram
        change(&result)
        result.compact()
        return Outcome(sample: .histogram(result), isKept: true)
    }

    private func combined(
        _ histogram: FloatHistogram, _ name: String,
        _ change: (inout FloatHistogram) -> HistogramAccumulator.Outcome?
    ) -> Outcome? {
        var result = histogram
        guard let outcome = change(&result) else {
            run.warn(
                "incompatible bucket layout encountered for binary operator \(self.operator.rawValue)", at: position)
            return nil
        }
        if outcome.hintsCollided { run.warn("conflicting counter resets during histogram \(name)", at: position) }
        if outcome.boundsReconciled {
            run.inform("mismatched custom buckets were reconciled during \(name)", at: position)
        }
        result.compact()
        return Outcome(sample: .histogram(result), isKept: true)
    }

    private func incompatible(_ left: String, _ right: String) -> Outcome? {
        let symbol = self.operator.rawValue
        run.inform(
            "incompatible sample types encountered for binary operator \"\(symbol)\": \(left) \(symbol) \(right)",
            at: position)
        return nil
    }
}
