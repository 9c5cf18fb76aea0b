internal import MetricModel

extension ExpositionBody {
    /// Calls `body` with a parser of delimited `MetricFamily` messages.
    func withFamilies(
        _ options: ExpositionOptions, _ body: (inout MetricFamilyParser) throws(ExpositionError) -> Void
    ) throws(ExpositionError) {
        guard count <= Self.maximumCount else {
            throw ExpositionError(line: 0, message: "the body is larger than 1 GiB")
        }
        try unsafe bytes.withUnsafeBufferPointer { buffer throws(ExpositionError) in
            // Because of the padding there is a base address.
            var parser = unsafe MetricFamilyParser(buffer.baseAddress!, count: count, options: options)
            try body(&parser)
        }
    }

    /// All entries of a protobuf body, in order.
    func protobufEntries(_ options: ExpositionOptions) throws(ExpositionError) -> [ExpositionEntry] {
        var entries: [ExpositionEntry] = []
        try withFamilies(options) { parser throws(ExpositionError) in
            try parser.read { family throws(ExpositionError) in
                let name = try family.text(family.name, "the metric name")
                entries.append(.help(metric: name, try family.text(family.help, "the help text")))
                let unit = try family.text(family.unit, "the unit")
                if !unit.isEmpty { entries.append(.unit(metric: name, unit)) }
                entries.append(.type(metric: name, family.type))
            } sample: { sample throws(ExpositionError) in
                entries.append(try sample.entry())
            }
        }
        return entries
    }
}

extension MetricFamilyParser {
    fileprivate func entry() throws(ExpositionError) -> ExpositionEntry {
        var exemplars: [Exemplar] = []
        for range in self.exemplars { if let exemplar = try exemplar(range) { exemplars.append(exemplar) } }
        let labels = try seriesLabels()
        if let histogram {
            return .histogram(
                ExpositionHistogram(
                    labels: labels, histogram: histogram, timestamp: timestamp, startTimestamp: startTimestamp,
                    exemplars: exemplars))
        }
        var sample = ExpositionSample(
            labels: labels, value: value, timestamp: timestamp, exemplar: exemplars.first)
        sample.startTimestamp = startTimestamp
        return .sample(sample)
    }
}
