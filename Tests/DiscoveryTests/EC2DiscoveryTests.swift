import MetricModel
import TestSupport
import Testing
import YAML

@testable import Discovery

@Suite struct EC2DiscoveryTests {
    private static func page(_ instances: String, next: String = "") -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- a comment -->
        <DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
          <requestId>r</requestId>
          <reservationSet><item><ownerId>123</ownerId><instancesSet>\(instances)</instancesSet></item></reservationSet>
          \(next.isEmpty ? "" : "<nextToken>\(next)</nextToken>")
        </DescribeInstancesResponse>
        """
    }

    private static let first = """
        <item><instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState>
          <privateDnsName>ip-10-0-0-1</privateDnsName><dnsName>ec2-1-2-3-4</dnsName><instanceType>t3.micro</instanceType>
          <placement><availabilityZone>eu-west-1a</availabilityZone></placement><privateIpAddress>10.0.0.1</privateIpAddress>
          <ipAddress>1.2.3.4</ipAddress><architecture>x86_64</architecture><platform>windows</platform>
          <instanceLifecycle>spot</instanceLifecycle><vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId>
          <networkInterfaceSet>
            <item><subnetId>subnet-2</subnetId><attachment><deviceIndex>1</deviceIndex></attachment><ipv6AddressesSet>
              <item><ipv6Address>fd00::2</ipv6Address><isPrimaryIpv6>true</isPrimaryIpv6></item></ipv6AddressesSet></item>
            <item><subnetId>subnet-1</subnetId><attachment><deviceIndex>0</deviceIndex></attachment><ipv6AddressesSet>
              <item><ipv6Address>fd00::1</ipv6Address></item></ipv6AddressesSet></item>
          </networkInterfaceSet>
          <tagSet><item><key>Name</key><value>a &amp; b</value></item><item><key>aws:x</key><value/></item></tagSet></item>
        """
    private static let second = """
        <item><instanceId>i-2</instanceId><vpcId>vpc-1</vpcId><instanceState><name>stopped</name></instanceState>
          <networkInterfaceSet><item><subnetId>subnet-1</subnetId><ipv6AddressesSet><item><ipv6Address>fd00::9</ipv6Address>
          </item></ipv6AddressesSet></item></networkInterfaceSet></item>
        <item><instanceId>i-3</instanceId></item>
        """

    @Test func instancesAreTargets() throws {
        let bodies = Changing<[String]>([])
        let server = LoopbackServer { request in
            let body = String(decoding: request.body, as: UTF8.self)
            bodies.value += [body]
            let isSigned =
                request.headers["authorization"]?.contains("Credential=AKID/") == true
                && request.headers["authorization"]?.contains(
                    "/eu-west-1/ec2/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=") == true
                && request.headers["x-amz-date"] != nil
            guard isSigned, request.line.hasPrefix("POST / ") else { return .ok("", status: "403 Forbidden") }
            if body.hasPrefix("Action=DescribeAvailabilityZones&") {
                return .ok(
                    "<R><availabilityZoneInfo><item><zoneName>eu-west-1a</zoneName><zoneId>euw1-az3</zoneId></item>"
                        + "</availabilityZoneInfo></R>", type: "text/xml")
            }
            let isSecond = body.contains("NextToken=more")
            return .ok(isSecond ? Self.page(Self.second) : Self.page(Self.first, next: "more"), type: "text/xml")
        }
        defer { server.stop() }
        let bench = try DiscoveryBench(
            """
            ec2_sd_configs:
            - region: eu-west-1
              endpoint: '\(server.url)'
              access_key: AKID
              secret_key: secret
              port: 9100
              filters: [{name: 'tag:env', values: [prod, test]}]
            """)
        defer { bench.runner.stop() }
        #expect(
            Loopback.eventually {
                bench.targets == [
                    [
                        "__address__": "10.0.0.1:9100", "__meta_ec2_ami": "ami-1", "__meta_ec2_architecture": "x86_64",
                        "__meta_ec2_availability_zone": "eu-west-1a", "__meta_ec2_availability_zone_id": "euw1-az3",
                        "__meta_ec2_default_ipv6_address": "fd00::2", "__meta_ec2_instance_id": "i-1",
                        "__meta_ec2_instance_lifecycle": "spot", "__meta_ec2_instance_state": "running",
                        "__meta_ec2_instance_type": "t3.micro", "__meta_ec2_ipv6_addresses": ",fd00::2,fd00::1,",
                        "__meta_ec2_owner_id": "123", "__meta_ec2_platform": "windows",
                        "__meta_ec2_primary_ipv6_addresses": ",,fd00::2,", "__meta_ec2_primary_subnet_id": "subnet-1",
                        "__meta_ec2_private_dns_name": "ip-10-0-0-1", "__meta_ec2_private_ip": "10.0.0.1",
                        "__meta_ec2_public_dns_name": "ec2-1-2-3-4", "__meta_ec2_public_ip": "1.2.3.4",
                        "__meta_ec2_region": "eu-west-1", "__meta_ec2_subnet_id": ",subnet-2,subnet-1,",
                        "__meta_ec2_tag_Name": "a & b", "__meta_ec2_vpc_id": "vpc-1",
                    ],
                    [
                        "__address__": "[fd00::9]:9100", "__meta_ec2_default_ipv6_address": "fd00::9",
                        "__meta_ec2_instance_id": "i-2", "__meta_ec2_instance_state": "stopped",
                        "__meta_ec2_ipv6_addresses": ",fd00::9,", "__meta_ec2_owner_id": "123",
                        "__meta_ec2_region": "eu-west-1", "__meta_ec2_subnet_id": ",subnet-1,",
                        "__meta_ec2_vpc_id": "vpc-1",
                    ],
                ]
            }, "\(bench.targets)")
        #expect(
            bodies.value.contains(
                "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3Aenv&Filter.1.Value.1=prod"
                    + "&Filter.1.Value.2=test"))
    }

    @Test func credentialsAreMissedWhenTheyAreNeeded() throws {
        let bench = try DiscoveryBench("ec2_sd_configs: [{region: x, profile: no-such-profile, refresh_interval: 1h}]")
        defer { bench.runner.stop() }
        #expect(bench.counter("tribune_discovery_failures_total", "ec2") == 1)
    }

    @Test(arguments: [
        ("{filters: [{name: a, values: []}]}", "EC2 SD configuration filter values cannot be empty"),
        (
            "{access_key: a}",
            "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config"
        ),
        ("{secret_key_x: a}", "unknown field \"secret_key_x\""),
    ])
    func faultsAreNamed(entry: String, message: String) {
        do throws(YAMLError) {
            _ = try DiscoveryBench.mechanisms("ec2_sd_configs: [\(entry)]")
            Issue.record("accepted")
        } catch {
            #expect(error.message == message)
        }
    }

    @Test(arguments: [
        "", "<a>", "<a></b>", "<a", "<a b>", "<a b=c></a>", "text<a/>", "<a>&nope;</a>", "<!DOCTYPE a><a/>", "</a>",
        "<a>&#xffffffff;</a>", String(repeating: "<a>", count: 100), "<a b='c></a>", "<>",
    ])
    func brokenDocumentsAreRefused(text: String) {
        #expect(throws: XMLError.self) { try XMLElement(parsing: Array(text.utf8)) }
    }

    @Test func documentsAreRead() throws {
        let text = "<?xml version='1.0'?><!-- <x> --><n:a i='1' j=\"<\">t&lt;&#65;&#x42;<b/><b>2</b></n:a>"
        let root = try XMLElement(parsing: Array(text.utf8))
        #expect(root.name == "a" && root.children.map(\.text) == ["", "2"] && root["b"] == "")
        #expect(try XMLElement(parsing: Array("<a>t&lt;&#65;&#x42;</a>".utf8)).text == "t<AB")
    }
}
