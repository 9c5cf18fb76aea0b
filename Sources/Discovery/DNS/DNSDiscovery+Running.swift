internal import MetricModel

extension DNSDiscovery: RefreshingDiscoverer {
    /// If a name cannot be resolved, the targets of all names stay as they are; a name without records has no targets.
    func refresh(_ session: DiscoverySession) throws(DiscoveryError) -> [TargetGroup] {
        var groups: [TargetGroup] = []
        for name in names where !session.stop.isRaised {
            let records: [DNSRecord]
            do throws(DNSFailure) {
                records = try DNSRecord.query(name, type, server)
            } catch {
                throw DiscoveryError("\(name): \(error.reason)")
            }
            groups.append(TargetGroup(source: name, targets: records.map { labels(of: $0, name) }))
        }
        return groups
    }

    private func labels(of record: DNSRecord, _ name: String) -> Labels {
        func label(_ suffix: String, _ value: String) -> Label { Label("__meta_dns_" + suffix, value) }
        var labels = [label("name", name)]
        let address: String
        switch record {
        case .address(let text): address = DiscoveredText.address(text, port)
        case .service(let target, let port):
            address = DiscoveredText.address(Self.relative(target), port)
            labels += [label("srv_record_target", target), label("srv_record_port", String(port))]
        case .mailServer(let target):
            address = DiscoveredText.address(Self.relative(target), port)
            labels.append(label("mx_record_target", target))
        case .nameServer(let target):
            address = DiscoveredText.address(Self.relative(target), port)
            labels.append(label("ns_record_target", target))
        }
        return Labels(labels + [Label("__address__", address)])
    }

    /// A name without its trailing dot.
    private static func relative(_ name: String) -> String {
        var name = name[...]
        while name.hasSuffix(".") { name.removeLast() }
        return String(name)
    }
}
