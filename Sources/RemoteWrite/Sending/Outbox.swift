internal import Instrumentation
internal import MetricModel
internal import Runtime

/// The senders of one receiver. Owned by the thread of ``SendLoop``.
final class Outbox {
    private let context: SendShard.Context
    private var shards: [SendShard] = []
    /// The portion whose requests are being handed over.
    private var current: UInt64?

    init(_ context: SendShard.Context) {
        self.context = context
    }

    /// The number of senders.
    var count: Int { shards.count }
    /// The number of senders that there should be.
    private(set) var wantedCount = 0

    /// The first portion of which something is not delivered; `.max` if everything is.
    var oldestPortion: UInt64 {
        shards.reduce(current ?? .max) { min($0, $1.oldestPortion ?? .max) }
    }

    /// The next requests are those of `portion`.
    func begin(_ portion: UInt64) { current = portion }

    /// All requests of the portion were handed over.
    func end() { current = nil }

    /// Hands a request to a sender. Waits while its queue is full. If everything stops, the request is dropped.
    func hand(_ batch: SendShard.Batch, to shard: Int) {
        var isFirst = true
        // There are fewer senders than planned if threads could not be started.
        while !shards[shard % shards.count].send(batch) {
            if isFirst { context.instruments.enqueueRetries.add() }
            isFirst = false
            guard context.pause(Milliseconds(rawValue: 5)) else { return }
        }
    }

    /// Hands a request to the first sender if it has room.
    func offer(_ batch: SendShard.Batch) {
        _ = shards.first?.send(batch)
    }

    /// Replaces the senders by `count` new ones; by fewer if threads cannot be started. Nothing may wait.
    func replaceShards(_ count: Int) {
        stop()
        (shards, wantedCount) = ([], count)
        for number in 0..<count {
            do throws(WorkerThread.StartError) {
                shards.append(try SendShard(context, number: number))
            } catch {
                if context.mayLog() { context.logger.error("a sender cannot start", ["error": error.description]) }
                break
            }
        }
        context.instruments.shards.set(Double(shards.count))
        if shards.isEmpty { _ = context.pause(.seconds(1)) }
    }

    /// Ends the senders after the requests in their queues, or at once if everything stops.
    func stop() {
        for shard in shards { shard.stop() }
    }
}
