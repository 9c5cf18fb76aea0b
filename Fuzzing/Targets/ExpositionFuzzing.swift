import Exposition
import MetricModel

/// Expositions read completely and read by prediction, which must have the same result.
///
/// The input is a sequence of bodies separated by the byte 0xFF, like consecutive scrapes of one target.
enum ExpositionFuzzing {
    static func finding(in bytes: [UInt8], _ format: ExpositionFormat) -> String? {
        var prediction = Prediction(format)
        var native = BodyReader(.protobuf, ExpositionOptions(nativeHistograms: true, classicHistograms: true))
        var result = ScrapedBody()
        for body in bytes.split(separator: 0xff, maxSplits: 4, omittingEmptySubsequences: false) {
            if let finding = prediction.finding(in: Array(body)) { return finding }
            // Text has no native histograms; those of protobuf must only be harmless.
            if format == .protobuf { read(Array(body), &native, &result) }
        }
        return nil
    }

    private static func read(_ body: [UInt8], _ reader: inout BodyReader, _ result: inout ScrapedBody) {
        // Rejected or not, the reader must return and accept the next body.
        if (try? reader.parse(ExpositionBody(body), format: .protobuf, into: &result)) != nil {
            reader.commit()
        } else {
            reader.discard()
        }
    }

    private struct Prediction {
        let format: ExpositionFormat
        var reader: BodyReader
        var result = ScrapedBody()
        /// The labels of each number, and the numbers of the last body.
        var labels: [Labels] = []
        var series: [Int32] = []
        /// The last exemplar of each number: exemplars that are not reported must be unchanged.
        var exemplars: [Int32: Exemplar] = [:]

        init(_ format: ExpositionFormat) {
            self.format = format
            reader = BodyReader(format)
        }

        mutating func finding(in body: [UInt8]) -> String? {
            let wanted = Result { try Self.samples(in: body, format) }
            let saved = exemplars
            // If reading completely fails, this must fail too.
            let found = Result { try predicted(body, (try? wanted.get()) ?? []) }
            switch (wanted, found) {
            case (.success(let wanted), .success(let found)):
                for number in reader.commit() { exemplars[number] = nil }
                return wanted == found ? nil : "in full \(wanted), predicted \(found)"
            case (.failure(let wanted), .failure(let found)):
                reader.discard()
                exemplars = saved
                return "\(wanted)".isEmpty || "\(found)".isEmpty ? "an error without text" : nil
            case (.success, .failure(let error)): return "only prediction fails: \(error)"
            case (.failure(let error), .success): return "prediction takes what is refused: \(error)"
            }
        }

        private static func samples(
            in body: [UInt8], _ format: ExpositionFormat
        ) throws -> [ExpositionSample] {
            try ExpositionBody(body).entries(format).compactMap { entry in
                if case .sample(let sample) = entry { comparable(sample) } else { nil }
            }
        }

        private mutating func predicted(
            _ body: [UInt8], _ wanted: [ExpositionSample]
        ) throws -> [ExpositionSample] {
            try reader.parse(ExpositionBody(body), format: format, into: &result)
            for new in result.newSeries {
                while labels.count <= Int(new.number) { labels.append(.empty) }
                labels[Int(new.number)] = new.labels
            }
            if !result.isUnchanged { series = result.series }
            var samples = zip(series, result.values).map {
                ExpositionSample(labels: labels[Int($0)], value: $1)
            }
            for extra in result.timestamps { samples[extra.index].timestamp = extra.value }
            var reported = result.exemplars[...]
            for index in samples.indices {
                if let extra = reported.first, extra.index == index {
                    exemplars[series[index]] = extra.value
                    reported.removeFirst()
                }
                if index < wanted.count, wanted[index].exemplar != nil {
                    samples[index].exemplar = exemplars[series[index]]
                }
            }
            return samples.map(Self.comparable)
        }

        /// NaN does not equal itself.
        private static func comparable(_ sample: ExpositionSample) -> ExpositionSample {
            var sample = sample
            if sample.value.isNaN { sample.value = sample.value.isStaleMarker ? 777 : 778 }
            if let value = sample.exemplar?.value, value.isNaN { sample.exemplar?.value = 777 }
            return sample
        }
    }
}
