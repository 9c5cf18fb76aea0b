import MetricModel
import Runtime
import TestSupport
import Testing

@testable import OnCallRunner

@Suite struct PageLinksTests {
    private let links = PageLinks(key: Array("0123456789abcdef".utf8))
    private let link = PageLinks.Link(
        page: "p7k", call: 3, recipient: "ada\nlovelace", verb: .acknowledge, expires: Timestamp(milliseconds: 1000))

    @Test func `a link is opened as it was made, until it expires`() throws {
        let token = links.token(link)
        #expect(try links.open(token, at: Timestamp(milliseconds: 999)) == link)
        #expect(throws: PageLinks.Refusal.expired) { try links.open(token, at: Timestamp(milliseconds: 1000)) }
    }

    @Test func `no changed link is opened`() {
        let token = Array(links.token(link).utf8)
        for index in token.indices {
            for byte in [UInt8(ascii: "A"), UInt8(ascii: "b"), UInt8(ascii: "."), UInt8(ascii: "_")]
            where byte != token[index] {
                var changed = token
                changed[index] = byte
                #expect(throws: PageLinks.Refusal.forged) {
                    try links.open(String(decoding: changed, as: UTF8.self), at: Timestamp(milliseconds: 0))
                }
            }
        }
        for text in ["", ".", "a.b", String(repeating: "a", count: 5000)] {
            #expect(throws: PageLinks.Refusal.forged) { try links.open(text, at: Timestamp(milliseconds: 0)) }
        }
    }

    @Test func `a calendar's text opens that calendar only, and no link opens one`() {
        let token = links.calendarToken(of: "ada")
        #expect(links.person(ofCalendar: token) == "ada")
        #expect(links.person(ofCalendar: links.token(link)) == nil)
        #expect(throws: PageLinks.Refusal.forged) { try links.open(token, at: Timestamp(milliseconds: 0)) }
        #expect(links.person(ofCalendar: links.calendarToken(of: "bob").replacing("Ym9i", with: "YWRh")) == nil)
        #expect(PageLinks(key: Array("another key of 16".utf8)).person(ofCalendar: token) == nil)
    }

    @Test func `the key is kept in a file, and another key opens nothing`() throws {
        let directory = TemporaryDirectory()
        let path = directory.file("links.key")
        let token = try PageLinks.load(path).token(link)
        #expect(try PageLinks.load(path).open(token, at: Timestamp(milliseconds: 0)) == link)
        #expect(throws: PageLinks.Refusal.forged) { try links.open(token, at: Timestamp(milliseconds: 0)) }
        directory.write("short\n", to: "bad.key")
        #expect(throws: PageLinksError.self) { try PageLinks.load(directory.file("bad.key")) }
    }
}
