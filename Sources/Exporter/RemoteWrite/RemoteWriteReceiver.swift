internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import MicroHTTP
internal import Runtime
internal import Snappy
internal import Synchronization

/// Takes the samples that other servers send to `/api/v1/write`. One lane for all of them; requests take turns.
final class RemoteWriteReceiver: Sendable {
    /// Why a request was not taken, with the HTTP status that says so.
    struct Refusal: Error {
        var status: Int
        var message: String
    }

    private struct State {
        var lane: Lane?
        var slots: [Labels: RingSlot] = [:]
    }

    /// Longest decoded message, as in Prometheus.
    private static let longestMessage = 32 << 20
    /// How far in the future a sample may lie.
    private static let furthestAhead: Milliseconds = .minutes(10)

    private let store: MetricStore
    private let state = Mutex(State())
    private let samples: Counter

    init(store: MetricStore, registry: Registry) {
        self.store = store
        samples = registry.counter(
            "tribune_remote_write_samples_total", "Samples taken in from other servers by remote write.")
    }

    /// Stores what `body` holds, all of it or nothing.
    func receive(_ body: [UInt8], now: Timestamp) throws(Refusal) {
        let message: WriteRequest
        do {
            message = try WriteRequest(try Snappy.uncompress(body, limit: Self.longestMessage))
        } catch let fault as Snappy.Fault {
            throw Refusal(status: 400, message: fault.description)
        } catch {
            throw Refusal(status: 400, message: "malformed protobuf message")
        }
        let outcome: Result<Int, Refusal> = state.withLock { state in
            do throws(Refusal) {
                return .success(try append(message, now: now, &state))
            } catch {
                return .failure(error)
            }
        }
        samples.add(Double(try outcome.get()))
    }

    private func append(_ message: WriteRequest, now: Timestamp, _ state: inout State) throws(Refusal) -> Int {
        do {
            let lane = try state.lane ?? store.openLane("remote-write")
            state.lane = lane
            let newest = message.series.flatMap { $0.samples.map(\.time) + $0.histograms.map(\.time) }.max()
            guard let newest else { return 0 }
            if newest > (now + Self.furthestAhead).milliseconds {
                throw Refusal(status: 400, message: "out of bounds: a sample lies more than 10 minutes in the future")
            }
            var slots: [(slot: RingSlot, series: WriteRequest.Series, labels: Labels)] = []
            for series in message.series {
                guard let labels = series.identity else { continue }
                slots.append((try slot(of: labels, lane, &state), series, labels))
            }
            var count = 0
            var appender = lane.beginAppend(at: Timestamp(milliseconds: newest))
            for (slot, series, labels) in slots {
                for sample in series.samples {
                    try check(appender.append(slot, sample.value, at: Timestamp(milliseconds: sample.time)), labels)
                    count += 1
                }
                for sample in series.histograms {
                    let time = Timestamp(milliseconds: sample.time)
                    try check(appender.append(slot, histogram: sample.histogram, at: time), labels)
                    count += 1
                }
            }
            try appender.commit()
            return count
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(status: 500, message: "\(error)")
        }
    }

    private func slot(of labels: Labels, _ lane: Lane, _ state: inout State) throws(StoreError) -> RingSlot {
        if let known = state.slots[labels] { return known }
        let slot = try lane.slot(for: labels)
        state.slots[labels] = slot
        return slot
    }

    private func check(_ outcome: AppendOutcome, _ labels: Labels) throws(Refusal) {
        switch outcome {
        case .appended, .alreadyPresent: return
        case .duplicateTimestamp:
            throw Refusal(status: 400, message: "duplicate sample for timestamp: series \(labels)")
        case .outOfOrder: throw Refusal(status: 400, message: "out of order sample: series \(labels)")
        case .outOfBounds: throw Refusal(status: 400, message: "out of bounds: series \(labels)")
        case .unknownSlot: throw Refusal(status: 500, message: "series \(labels) has no place")
        }
    }
}

extension Exporter {
    /// `/api/v1/write`
    func remoteWrite(_ call: APICall) -> HTTPServerResponse {
        guard let receiver else {
            return .text(
                "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n", status: 404)
        }
        let encoding = call.request[header: "Content-Encoding"] ?? "snappy"
        guard encoding == "snappy" else {
            return .text("\(encoding) encoding (compression) is not accepted by this server\n", status: 415)
        }
        let type = call.request[header: "Content-Type"] ?? "application/x-protobuf"
        let parts = type.split(separator: ";").map { $0.trimmed }
        guard parts.first == "application/x-protobuf",
            parts.dropFirst().allSatisfy({ !$0.hasPrefix("proto=") || $0 == "proto=prometheus.WriteRequest" })
        else { return .text("\(type) is not accepted by this server\n", status: 415) }
        do {
            try receiver.receive(call.request.body, now: Timestamp(milliseconds: SystemClock.wallMilliseconds()))
            return HTTPServerResponse(status: 204)
        } catch {
            return .text(error.message + "\n", status: error.status)
        }
    }
}
