// Reads a synthetic body repeatedly and prints nanoseconds per sample and bytes per second, the best of several rounds.
// Not timed: creating the bodies.
// Usage: swift run -c release ExpositionBenchmark [series]
import Exposition
import MetricModel
import Runtime

/// A fleet's body: 60 % histogram buckets, 30 % counters, 10 % gauges, four to six labels.
func body(series: Int, round: Int, shift: Int = 0) -> [UInt8] {
    var text: [UInt8] = []
    for family in 0..<max(1, series / 100) {
        text += "# HELP http_request_duration_seconds_\(family) How long requests took.\n".utf8
        text += "# TYPE http_request_duration_seconds_\(family) histogram\n".utf8
        for line in 0..<100 {
            let index = family * 100 + line
            if index % 1000 == shift && shift > 0 { continue }
            let labels =
                "service=\"checkout\",instance=\"10.0.0.\(family % 250):8080\",method=\"GET\",handler=\"/api/v1/items/\(line / 10)\""
            let value = (index * 7919 + round * 13) % 1_000_003
            switch line % 10 {
            case 0..<6:
                text +=
                    "http_request_duration_seconds_\(family)_bucket{\(labels),le=\"0.\(line % 10)\"} \(value)\n".utf8
            case 6..<9: text += "http_requests_total_\(family){\(labels),code=\"20\(line % 10)\"} \(value)\n".utf8
            default: text += "process_cpu_ratio_\(family){\(labels)} \(Double(value) / 1000)\n".utf8
            }
        }
    }
    return text
}

/// Best time of one call in nanoseconds.
func best(of rounds: Int, _ work: (Int) throws -> Void) rethrows -> Double {
    var best = Double.infinity
    for round in 0..<rounds {
        let start = SystemClock.monotonicNanoseconds()
        try work(round)
        best = min(best, Double(SystemClock.monotonicNanoseconds() - start))
    }
    return best
}

func report(_ name: String, _ nanoseconds: Double, bytes: Int, samples: Int) {
    let perSample = nanoseconds / Double(samples)
    let gigabytes = Double(bytes) / nanoseconds
    print(
        "\(name): \((perSample * 10).rounded() / 10) ns/sample, \((1000 / perSample * 10).rounded() / 10) M samples/s, \((gigabytes * 100).rounded() / 100) GB/s"
    )
}

let series = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 10_000
let bodies = (0..<8).map { ExpositionBody(body(series: series, round: $0)) }
let shifted = (1..<8).map { ExpositionBody(body(series: series, round: $0, shift: $0 * 100)) }
let bytes = bodies[0].count
print("\(series) series, \(bytes) bytes")

var predictor = BodyPredictor()
var result = ScrapedBody()
let cold = try best(of: 5) { round in
    predictor = BodyPredictor()
    try predictor.parse(bodies[round % 8], format: .text, into: &result)
    predictor.commit()
}
report("cold (labels built)", cold, bytes: bytes, samples: series)
let predicted = try best(of: 200) { round in
    try predictor.parse(bodies[round % 8], format: .text, into: &result)
    predictor.commit()
}
report("predicted", predicted, bytes: bytes, samples: series)
let moving = try best(of: 50) { round in
    try predictor.parse(shifted[round % 7], format: .text, into: &result)
    predictor.commit()
}
report("resynchronising (0.2 % of the lines come or go)", moving, bytes: bytes, samples: series)
var known: [String: Int] = [:]
let text = String(decoding: body(series: series, round: 0), as: UTF8.self)
let naive = best(of: 10) { _ in
    var number = 0
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
        guard let blank = line.utf8.lastIndex(of: UInt8(ascii: " ")) else { continue }
        let key = String(line[..<blank])
        if known[key] == nil { known[key] = number }
        number += Double(line[line.utf8.index(after: blank)...]) == nil ? 0 : 1
    }
}
report("naive (split, dictionary of strings, Double())", naive, bytes: bytes, samples: series)
