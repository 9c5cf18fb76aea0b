internal import JSON
internal import MetricModel

extension SilenceRunner {
    /// Exchanges silences with the other nodes: of two with the same id the one that was changed later is kept.
    func exchange(with store: any NotificationStore) throws(NotificationStoreFault) {
        let stored = try store.silences()
        let mine = silences.entries
        for (id, entry) in mine where entry.silence.updatedAt.milliseconds > stored[id] ?? .min {
            try store.put(
                SharedSilence(id: id, updated: entry.silence.updatedAt.milliseconds, text: entry.stored.encoded))
        }
        var news: [SilenceSet.Entry] = []
        for (id, updated) in stored.sorted(by: { $0.key < $1.key })
        where updated > mine[id]?.silence.updatedAt.milliseconds ?? .min && !isRefused(id, updated) {
            guard let shared = try store.silence(id) else { continue }
            let entry: SilenceSet.Entry
            do {
                entry = try SilenceSet.Entry(stored: JSON(parsing: shared.text), path: id)
            } catch {
                refuse(id, updated, "\(error)")
                continue
            }
            if silences.isForgotten(entry, at: Self.now) {
                try store.delete(silence: id)
            } else {
                news.append(entry)
            }
        }
        if !news.isEmpty { merge(news) }
    }
}
