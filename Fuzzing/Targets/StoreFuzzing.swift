import MetricModel
import MetricStore

/// Bytes as operations on a store in memory: committed samples can be read, and the store's invariants hold.
///
/// The low three bits of a byte choose the operation, the others by how much time advances. Rows take two more bytes, a
/// bit for each of sixteen series; retiring a series takes one. All operations are on two lanes in turn.
enum StoreFuzzing {
    private static let mostOperations = 400

    private struct World {
        let store: MetricStore
        var lanes: [Lane]
        var time: Int64 = 0
        var committed: [Labels: [Double]] = [:]
        var bytes: ArraySlice<UInt8>

        init(_ bytes: [UInt8]) throws {
            store = try MetricStore(StoreConfiguration(), registry: nil)
            lanes = [try store.openLane("0"), try store.openLane("1")]
            self.bytes = bytes[...]
        }

        mutating func next() -> UInt8 { bytes.popFirst() ?? 0 }

        private func labels(_ series: Int, _ lane: Int) -> Labels {
            Labels(metric: "m\(series % 3)", [Label("i", "\(series)"), Label("lane", "\(lane)")])
        }

        mutating func operate(_ number: Int) throws -> String? {
            let code = next()
            let lane = number % lanes.count
            time += 1 + Int64(code >> 3)
            switch code & 7 {
            case 5:
                lanes[lane].retire(try lanes[lane].slot(for: labels(Int(next() & 15), lane)))
            case 6:
                lanes[lane].close()
                lanes[lane] = try store.openLane("\(lane)")
            case 7: store.maintain(now: Timestamp(milliseconds: time))
            default: return try write(lane, isRolledBack: code & 7 == 4)
            }
            return nil
        }

        private mutating func write(_ lane: Int, isRolledBack: Bool) throws -> String? {
            let mask = Int(next()) | Int(next()) << 8
            let chosen = (0..<16).filter { mask >> $0 & 1 == 1 }.map { labels($0, lane) }
            var slots: [RingSlot] = []
            try lanes[lane].appendSlots(for: chosen, to: &slots)
            var appender = lanes[lane].beginAppend(at: Timestamp(milliseconds: time))
            for slot in slots {
                let outcome = appender.append(slot, Double(time))
                if outcome != .appended { return "a sample at \(time) is \(outcome)" }
            }
            if isRolledBack {
                appender.rollback()
            } else {
                try appender.commit()
                for labels in chosen { committed[labels, default: []].append(Double(time)) }
            }
            return nil
        }

        func finding() throws -> String? {
            if let broken = store.brokenInvariants.first { return broken }
            let found = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
            for series in found where committed[series.labels] != series.values {
                return "\(series.labels) has \(series.values) and not \(committed[series.labels] ?? [])"
            }
            return found.count == committed.count ? nil : "\(found.count) series and not \(committed.count)"
        }
    }

    static func finding(in bytes: [UInt8]) -> String? {
        do {
            var world = try World(bytes)
            for number in 0..<mostOperations where !world.bytes.isEmpty {
                if let finding = try world.operate(number) { return finding }
                if number % 64 == 63, let finding = try world.finding() { return finding }
            }
            return try world.finding()
        } catch {
            return "\(error)"
        }
    }
}
