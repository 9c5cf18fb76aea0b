internal import MetricModel

/// A binary operator applied to two elements of vectors (or an element and a scalar).
///
/// As in Prometheus, only the last annotation of each step is kept.
struct ElementOperation {
    let `operator`: BinaryOperator
    let run: Run
    /// The position of the operation in the query.
    let position: SourceRange
    private var remark: (level: Annotations.Level, text: String)?

    init(operator: BinaryOperator, run: Run, position: SourceRange) {
        self.operator = `operator`
        self.run = run
        self.position = position
    }

    /// Returns the annotation of the step that ends.
    mutating func endStep() {
        if let remark { run.annotations.insert(remark.level, remark.text, at: position) }
        remark = nil
    }

    /// The result: a value, and whether a filter keeps the element.
    struct Outcome {
        var sample: Sample
        var isKept: Bool
    }

    /// The result; `nil` with an annotation if the operator is not defined for these types.
    mutating func apply(_ left: Sample, _ right: Sample) -> Outcome? {
        switch (left, right) {
        case (.float(let left), .float(let right)): floats(left, right)
        case (.float(let left), .histogram(let right)):
            self.operator == .multiply ? scaled(right) { $0.scale(by: left) } : incompatible("float", "histogram")
        case (.histogram(let left), .float(let right)): mixed(left, right)
        case (.histogram(let left), .histogram(let right)): histograms(left, right)
        }
    }

    private mutating func floats(_ left: Double, _ right: Double) -> Outcome? {
        switch self.operator {
        case .trimUpper, .trimLower: return incompatible("float", "float")
        case _ where self.operator.isComparison:
            return Outcome(sample: .float(left), isKept: self.operator.holds(left, right))
        default: return Outcome(sample: .float(self.operator.applied(to: left, right)), isKept: true)
        }
    }

    private mutating func mixed(_ histogram: FloatHistogram, _ number: Double) -> Outcome? {
        switch self.operator {
        case .multiply: scaled(histogram) { $0.scale(by: number) }
        case .divide: scaled(histogram) { $0.divide(by: number) }
        case .trimUpper: Outcome(sample: .histogram(histogram.trimmed(above: number)), isKept: true)
        case .trimLower: Outcome(sample: .histogram(histogram.trimmed(below: number)), isKept: true)
        default: incompatible("histogram", "float")
        }
    }

    private mutating func histograms(_ left: FloatHistogram, _ right: FloatHistogram) -> Outcome? {
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

    private mutating func combined(
        _ histogram: FloatHistogram, _ name: String,
        _ change: (inout FloatHistogram) -> HistogramAccumulator.Outcome?
    ) -> Outcome? {
        var result = histogram
        guard let outcome = change(&result) else {
            remark = (
                .warning, "incompatible bucket layout encountered for binary operator \(self.operator.rawValue)"
            )
            return nil
        }
        if outcome.hintsCollided {
            remark = (.warning, "conflicting counter resets during histogram \(name)")
            return nil
        }
        if outcome.boundsReconciled {
            remark = (.info, "mismatched custom buckets were reconciled during \(name)")
        }
        result.compact()
        return Outcome(sample: .histogram(result), isKept: true)
    }

    private mutating func incompatible(_ left: String, _ right: String) -> Outcome? {
        let symbol = self.operator.rawValue
        remark = (
            .info,
            "incompatible sample types encountered for binary operator \"\(symbol)\": \(left) \(symbol) \(right)"
        )
        return nil
    }
}
