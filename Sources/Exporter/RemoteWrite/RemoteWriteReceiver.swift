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

    private struct Place {
        var slot: RingSlot
        var lastUsed: Timestamp
    }

    private struct State {
        var lane: Lane?
        var places: [Labels: Place] = [:]
        var nextSweep = Timestamp.distantPast
    }

    /// A series of a request with the slot it goes to.
    private struct Destination {
        var labels: Labels
        var slot: RingSlot
        var series: WriteRequest.Series
    }

    /// Longest decoded message, as in Prometheus.
    private static let longestMessage = 32 << 20
    /// How far in the future a sample may lie.
    private static let furthestAhead: Milliseconds = .minutes(10)
    /// A series without samples for so long gives up its slot; it gets another when it comes back.
    private static let idleLimit: Milliseconds = .hours(1)
    /// How often idle series are looked for.
    private static let sweepInterval: Milliseconds = .minutes(5)

    private let store: MetricStore
    private let state = Mutex(State())
    private let samples: Counter

    init(store: MetricStore, registry: Registry) {
        self.store = store
        samples = registry.counter(
            "tribune_remote_write_samples_total", "Samples taken in from other servers by remote write.")
    }

    /// How many series have a slot.
    var placeCount: Int { state.withLock { $0.places.count } }

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
        let newest = message.series.flatMap { $0.samples.map(\.time) + $0.histograms.map(\.time) }.max()
        guard let newest else { return 0 }
        if newest > (now + Self.furthestAhead).milliseconds {
            throw Refusal(status: 400, message: "out of bounds: a sample lies more than 10 minutes in the future")
        }
        do {
            let lane = try state.lane ?? store.openLane("remote-write")
            state.lane = lane
            sweep(lane, now: now, &state)
            return try append(message, newest: Timestamp(milliseconds: newest), now: now, lane, &state)
        } catch let refusal as Refusal {
            // Should a slot be gone, all are asked for again when the sender tries again.
            if refusal.status >= 500 { state.places = [:] }
            throw refusal
        } catch {
            throw Refusal(status: 500, message: "\(error)")
        }
    }

    private func append(
        _ message: WriteRequest, newest: Timestamp, now: Timestamp, _ lane: Lane, _ state: inout State
    ) throws -> Int {
        var made: [Labels: Place] = [:]
        do {
            var destinations: [Destination] = []
            for series in message.series where !(series.samples.isEmpty && series.histograms.isEmpty) {
                guard let labels = try? series.identity.get() else { continue }
                let slot: RingSlot
                if let known = state.places[labels] ?? made[labels] {
                    slot = known.slot
                } else {
                    slot = try lane.slot(for: labels)
                    made[labels] = Place(slot: slot, lastUsed: now)
                }
                destinations.append(Destination(labels: labels, slot: slot, series: series))
            }
            let count = try commit(destinations, at: newest, lane)
            state.places.merge(made) { $1 }
            for destination in destinations { state.places[destination.labels]?.lastUsed = now }
            return count
        } catch {
            // What was made for a request that is refused must not stay behind.
            for place in made.values { lane.retire(place.slot) }
            throw error
        }
    }

    private func commit(_ destinations: [Destination], at newest: Timestamp, _ lane: Lane) throws -> Int {
        var count = 0
        var appender = lane.beginAppend(at: newest)
        for destination in destinations {
            let slot = destination.slot
            for sample in destination.series.samples {
                let time = Timestamp(milliseconds: sample.time)
                try check(appender.append(slot, sample.value, at: time), destination.labels)
                count += 1
            }
            for sample in destination.series.histograms {
                let time = Timestamp(milliseconds: sample.time)
                if let fault = sample.fault {
                    throw Refusal(status: 400, message: "\(fault): series \(destination.labels)")
                }
                try check(appender.append(slot, histogram: sample.histogram, at: time), destination.labels)
                count += 1
            }
        }
        try appender.commit()
        return count
    }

    /// Gives up the slots of series that have not been heard of for long, so that their memory is used again.
    private func sweep(_ lane: Lane, now: Timestamp, _ state: inout State) {
        guard now >= state.nextSweep else { return }
        state.nextSweep = now + Self.sweepInterval
        for (labels, place) in state.places where now - place.lastUsed > Self.idleLimit {
            lane.retire(place.slot)
            state.places[labels] = nil
        }
    }

    private func check(_ outcome: AppendOutcome, _ labels: Labels) throws(Refusal) {
        switch outcome {
        case .appended, .alreadyPresent: return
        case .duplicateTimestamp:
            throw Refusal(status: 400, message: "duplicate sample for timestamp: series \(labels)")
        case .outOfOrder: throw Refusal(status: 400, message: "out of order sample: series \(labels)")
        case .outOfBounds: throw Refusal(status: 400, message: "out of bounds: series \(labels)")
        case .unknownSlot:
            throw Refusal(status: 503, message: "series \(labels) has no place: the store is out of memory")
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
