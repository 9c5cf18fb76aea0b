import Exposition
import MetricModel

/// Expositions read in full and read by prediction, which must come to the same.
///
/// The input is a row of bodies with a byte 0xFF between them, as one target might serve them scrape after scrape.
enum ExpositionFuzzing {
    static func finding(in bytes: [UInt8], _ format: ExpositionFormat) -> String? {
        var prediction = Prediction(format: format)
        for body in bytes.split(separator: 0xff, maxSplits: 4, omittingEmptySubsequences: false) {
            if let finding = prediction.finding(in: Array(body)) { return finding }
        }
        return nil
    }

    private struct Prediction {
        let format: ExpositionFormat
        var matcher = SeriesMatcher()
        var result = ScrapedBody()
        /// The labels of each number, and the numbers of the last body.
        var labels: [Labels] = []
        var series: [Int32] = []

        mutating func finding(in body: [UInt8]) -> String? {
            let wanted = Result { try Self.samples(in: body, format) }
            let found = Result { try predicted(body) }
            switch (wanted, found) {
            case (.success(let wanted), .success(let found)):
                matcher.commit()
                return wanted == found ? nil : "in full \(wanted), predicted \(found)"
            case (.failure(let wanted), .failure(let found)):
                matcher.discard()
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

        private mutating func predicted(_ body: [UInt8]) throws -> [ExpositionSample] {
            try matcher.parse(ExpositionBody(body), format: format, into: &result)
            for (number, one) in result.newSeries {
                while labels.count <= Int(number) { labels.append(.empty) }
                labels[Int(number)] = one
            }
            if !result.isUnchanged { series = result.series }
            var samples = zip(series, result.values).map {
                ExpositionSample(labels: labels[Int($0)], value: $1)
            }
            for extra in result.timestamps { samples[extra.index].timestamp = extra.value }
            for extra in result.exemplars { samples[extra.index].exemplar = extra.value }
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
