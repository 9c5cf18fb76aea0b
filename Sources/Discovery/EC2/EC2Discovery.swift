public import ConfigurationFields
internal import CurlHTTP
public import MetricModel
internal import Runtime
internal import YAML

/// `ec2_sd_configs`: instances of Amazon EC2. A value.
public struct EC2Discovery: Equatable, Sendable {
    /// A filter of a request. A value.
    public struct Filter: Equatable, Sendable {
        /// The name of the filter, such as `tag:env`.
        public var name: String
        /// The accepted values; at least one.
        public var values: [String]
    }

    /// The credentials and the region.
    public var credentials: AWSCredentials
    /// The URL of the API; empty for that of the region.
    public var endpoint = ""
    /// The port of targets.
    public var port = 80
    /// The filters of instances.
    public var filters: [Filter] = []
    /// The interval of queries.
    public var refreshInterval = Milliseconds.seconds(60)
    /// The settings of the HTTP client.
    public var http = HTTPSettings()
}

extension EC2Discovery {
    init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        credentials = try AWSCredentials(&fields, directory: directory)
        endpoint = try fields.optionalText("endpoint") ?? ""
        port = try fields.optionalInteger("port") ?? port
        refreshInterval = try fields.optionalInterval("refresh_interval") ?? refreshInterval
        for (index, node) in try fields.list("filters").enumerated() {
            let place = "filters[\(index)]"
            var section = try FieldReader(node, path: fields.path(of: place), file: fields.file)
            let filter = Filter(name: try section.text("name"), values: try section.textList("values"))
            try section.finish()
            if filter.values.isEmpty {
                throw fields.fault("EC2 SD configuration filter values cannot be empty", at: node, field: place)
            }
            filters.append(filter)
        }
        http = try HTTPSettings(&fields, directory: directory)
    }
}

extension EC2Discovery: RefreshingDiscoverer {
    private static let version = "2016-11-15"
    private static let largestBody = 64 << 20
    private static let maximumPages = 1000

    func refresh(_ session: DiscoverySession) throws(DiscoveryError) -> [TargetGroup] {
        guard let region = credentials.effectiveRegion else {
            throw DiscoveryError("EC2 SD configuration requires a region")
        }
        let keys: AWSCredentials.Keys
        do throws(HTTPFailure) {
            keys = try credentials.keys(region) { request throws(HTTPFailure) in
                try session.client.send(request, isCancelled: { [stop = session.stop] in stop.isRaised })
            }
        } catch {
            throw DiscoveryError(error.message)
        }
        let ask = { (action: String, parameters: [(String, String)]) throws(DiscoveryError) -> XMLElement in
            try self.ask(action, parameters, keys, region, session)
        }
        let zones = zoneIDs(ask)
        var targets: [Labels] = []
        var next: String?
        for _ in 0..<Self.maximumPages {
            let page = try ask("DescribeInstances", parameters(next))
            for reservation in page.items("reservationSet") {
                for instance in reservation.items("instancesSet") {
                    let owner = reservation["ownerId"]
                    guard let target = EC2Instance(instance).labels(region, owner: owner, port: port, zones) else {
                        continue
                    }
                    targets.append(target)
                }
            }
            next = page["nextToken"].isEmpty ? nil : page["nextToken"]
            if next == nil { break }
        }
        return [TargetGroup(source: region, targets: targets)]
    }

    private func parameters(_ next: String?) -> [(String, String)] {
        var parameters: [(String, String)] = []
        for (index, filter) in filters.enumerated() {
            parameters.append(("Filter.\(index + 1).Name", filter.name))
            for (number, value) in filter.values.enumerated() {
                parameters.append(("Filter.\(index + 1).Value.\(number + 1)", value))
            }
        }
        if let next { parameters.append(("NextToken", next)) }
        return parameters
    }

    /// The IDs of availability zones by their names; empty without the permission to list them.
    private func zoneIDs(
        _ ask: (String, [(String, String)]) throws(DiscoveryError) -> XMLElement
    ) -> [String: String] {
        guard let answer = try? ask("DescribeAvailabilityZones", []) else { return [:] }
        let zones = answer.items("availabilityZoneInfo")
        return Dictionary(zones.map { ($0["zoneName"], $0["zoneId"]) }) { first, _ in first }
    }

    private func ask(
        _ action: String, _ parameters: [(String, String)], _ keys: AWSCredentials.Keys, _ region: String,
        _ session: DiscoverySession
    ) throws(DiscoveryError) -> XMLElement {
        let body = FormText.encoded([("Action", action), ("Version", Self.version)] + parameters)
        var url = endpoint.isEmpty ? "https://ec2.\(region).amazonaws.com" : endpoint
        if !url.hasSuffix("/") { url += "/" }
        var request = HTTPRequest(
            method: "POST", url: url,
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], body: Array(body.utf8),
            timeoutMilliseconds: max(10_000, refreshInterval.rawValue))
        request.maximumBodyBytes = Self.largestBody
        try session.prepare(&request, http)
        AWSSignature(keys: keys, region: region, service: "ec2").sign(&request)
        let response = try session.body(request)
        do throws(XMLError) { return try XMLElement(parsing: response.body) } catch {
            throw DiscoveryError("\(HTTPRequest.shown(url)): \(action) answered \(error.description)")
        }
    }
}

/// An instance as returned by the API.
private struct EC2Instance {
    private let instance: XMLElement
    private let interfaces: [XMLElement]

    init(_ instance: XMLElement) {
        self.instance = instance
        interfaces = instance.items("networkInterfaceSet").filter { !$0["subnetId"].isEmpty }
    }

    /// A list with separators around it.
    private static func list(_ words: [String]) -> String { "," + words.joined(separator: ",") + "," }

    /// The IPv6 addresses; primary ones at the index of their interface.
    private var addresses: (primary: [String], all: [String]) {
        guard !instance["vpcId"].isEmpty else { return ([], []) }
        var primary: [String] = []
        var all: [String] = []
        for interface in interfaces {
            for item in interface.items("ipv6AddressesSet") where !item["ipv6Address"].isEmpty {
                all.append(item["ipv6Address"])
                guard item["isPrimaryIpv6"] == "true", let place = Int(interface.child("attachment")["deviceIndex"]),
                    (0..<1000).contains(place)
                else { continue }
                while primary.count <= place { primary.append("") }
                primary[place] = item["ipv6Address"]
            }
        }
        return (primary, all)
    }

    /// `nil` for an instance without an address.
    func labels(_ region: String, owner: String, port: Int, _ zones: [String: String]) -> Labels? {
        let (primary, all) = addresses
        let usual = (primary + all).first { !$0.isEmpty } ?? ""
        let address = instance["privateIpAddress"].isEmpty ? usual : instance["privateIpAddress"]
        if address.isEmpty { return nil }
        let zone = instance.child("placement")["availabilityZone"]
        var labels = [
            "region": region, "instance_id": instance["instanceId"], "owner_id": owner, "default_ipv6_address": usual,
            "private_ip": instance["privateIpAddress"], "private_dns_name": instance["privateDnsName"],
            "platform": instance["platform"], "public_ip": instance["ipAddress"], "ami": instance["imageId"],
            "availability_zone": zone, "availability_zone_id": zones[zone] ?? "",
            "instance_state": instance.child("instanceState")["name"], "instance_type": instance["instanceType"],
            "instance_lifecycle": instance["instanceLifecycle"], "architecture": instance["architecture"],
            "vpc_id": instance["vpcId"],
        ]
        if !instance["ipAddress"].isEmpty { labels["public_dns_name"] = instance["dnsName"] }
        if !primary.isEmpty { labels["primary_ipv6_addresses"] = Self.list(primary) }
        if !all.isEmpty { labels["ipv6_addresses"] = Self.list(all) }
        if !instance["vpcId"].isEmpty {
            labels["primary_subnet_id"] = instance["subnetId"]
            var subnets: [String] = []
            for interface in interfaces where !subnets.contains(interface["subnetId"]) {
                subnets.append(interface["subnetId"])
            }
            labels["subnet_id"] = Self.list(subnets)
        }
        for tag in instance.items("tagSet") {
            labels["tag_" + DiscoveredText.labelName(tag["key"])] = tag["value"]
        }
        return Labels(
            meta: labels.map { ("__meta_ec2_" + $0.key, $0.value) }
                + [("__address__", DiscoveredText.address(address, port))])
    }
}
