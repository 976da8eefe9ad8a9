// The page opens anywhere: well-formed, self-contained, caveats before figures, a bar for every
// cell, and nothing that a name in a campaign could make it do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "analysis/report/report.h"
#include "analysis/report/svg.h"
#include "tests/analysis/report/markup.h"
#include "tests/analysis/small_campaign.h"

namespace kbench::analysis {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<Element> Parsed(const std::string& page) {
  auto elements = ParsePage(page);
  EXPECT_TRUE(elements.ok()) << elements.status();
  return elements.ok() ? *elements : std::vector<Element>{};
}

std::string Attribute(const Element& element, const std::string& name) {
  const auto it = element.attributes.find(name);
  return it == element.attributes.end() ? "" : it->second;
}

bool HasClass(const Element& element, absl::string_view name) {
  for (absl::string_view one : absl::StrSplit(Attribute(element, "class"), ' ')) {
    if (one == name) return true;
  }
  return false;
}

std::vector<std::string> FetchedBy(const std::vector<Element>& page) {
  std::vector<std::string> fetched;
  for (const Element& e : page) {
    for (const char* name : {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}) {
      if (e.attributes.contains(name)) fetched.push_back(e.name + " " + name);
    }
    for (absl::string_view from : {"http:", "https:", "@import", "url(\"", "url('", "fetch("}) {
      const bool code = e.name == "style" || e.name == "script";
      if (code && absl::StrContains(e.text, from)) fetched.push_back(absl::StrCat(e.name, from));
    }
    if (e.name == "link" || e.name == "base" || e.name == "iframe") fetched.push_back(e.name);
  }
  return fetched;
}

TEST(ParsePage, RefusesWhatIsNotWellFormed) {
  const std::string good = "<!DOCTYPE html><html><p class=\"a\">x &amp; y</p><br></html>";
  EXPECT_TRUE(ParsePage(good).ok()) << ParsePage(good).status();
  for (const char* bad : {"<html></html>", "<!DOCTYPE html><p>", "<!DOCTYPE html><p></b></p>",
                          "<!DOCTYPE html><p class=a></p>", "<!DOCTYPE html><p>a & b</p>",
                          "<!DOCTYPE html><p a=\"<\"></p>", "<!DOCTYPE html><p></p>text"}) {
    EXPECT_FALSE(ParsePage(bad).ok()) << bad;
  }
}

TEST(HtmlReport, IsWellFormedAndFetchesNothing) {
  const std::string page = HtmlReport(SmallCampaign());
  EXPECT_THAT(FetchedBy(Parsed(page)), IsEmpty());
  EXPECT_THAT(page, Not(HasSubstr("http://")));
  EXPECT_THAT(page, Not(HasSubstr("https://")));
}

TEST(HtmlReport, EveryHatchThatAStyleRefersToIsDefined) {
  const std::vector<Element> page = Parsed(HtmlReport(SmallCampaign()));
  std::vector<std::string> ids;
  std::string style;
  for (const Element& e : page) {
    if (e.name == "pattern") ids.push_back(Attribute(e, "id"));
    if (e.name == "style") style += e.text;
  }
  std::vector<absl::string_view> uses = absl::StrSplit(style, "url(#");
  ASSERT_EQ(uses.size(), 8u);  // seven ways to merge
  for (size_t i = 1; i < uses.size(); ++i) {
    EXPECT_THAT(ids, testing::Contains(uses[i].substr(0, uses[i].find(')'))));
  }
}

TEST(HtmlReport, SaysItsCaveatsBeforeTheFirstFigure) {
  const std::vector<Element> page = Parsed(HtmlReport(SmallCampaign()));
  size_t caveats = 0, figure = 0, table = 0;
  for (const Element& e : page) {
    if (HasClass(e, "caveats")) {
      caveats = e.at;
      EXPECT_THAT(e.all_text, HasSubstr("client_saturated"));
      EXPECT_THAT(e.all_text, HasSubstr("receive_boundary_unavailable"));
      EXPECT_THAT(e.all_text, HasSubstr("runs_left_out"));
    }
    if (figure == 0 && Attribute(e, "role") == "img") figure = e.at;
    if (table == 0 && e.name == "table") table = e.at;
  }
  ASSERT_GT(caveats, 0u);
  EXPECT_LT(caveats, figure);
  EXPECT_LT(caveats, table);
}

struct Bar {
  std::string css;
  double x = 0;
  double width = 0;
};

// The stacked bars of one chart: the parts of each row, by the row's y.
std::map<std::string, std::vector<Bar>> Bars(const std::vector<Element>& page,
                                             const std::string& scale) {
  std::map<std::string, std::vector<Bar>> bars;
  for (const Element& e : page) {
    const bool inside = std::any_of(e.inside.begin(), e.inside.end(),
                                    [&](int i) { return HasClass(page[i], scale); });
    if (!inside || e.name != "rect" || !HasClass(e, "part")) continue;
    bars[Attribute(e, "y")].push_back({.css = Attribute(e, "class"),
                                       .x = std::stod(Attribute(e, "x")),
                                       .width = std::stod(Attribute(e, "width"))});
  }
  return bars;
}

TEST(HtmlReport, HasAStackedBarOfThePartsForEveryCell) {
  const std::vector<Element> page = Parsed(HtmlReport(SmallCampaign()));
  const auto bars = Bars(page, "absolute");
  ASSERT_EQ(bars.size(), 2u);
  const auto& epoll = bars.at("2.0");
  const auto& uring = bars.at("30.0");
  ASSERT_EQ(epoll.size(), 8u);
  ASSERT_EQ(uring.size(), 7u);  // network and client_receive in one
  EXPECT_EQ(uring[4].css, "part part-network-client_receive");
  EXPECT_EQ(epoll[5].css, "part part-server");
  // To scale: 501.5 us of server, 15 us of client_receive, in tenths of a pixel.
  EXPECT_NEAR(epoll[5].width / epoll[6].width, 33.4, 0.5);
  for (size_t i = 1; i < epoll.size(); ++i) {
    EXPECT_NEAR(epoll[i].x, epoll[i - 1].x + epoll[i - 1].width, 0.11) << i;  // end to end
  }
  const auto shares = Bars(page, "shares");
  double full = 0;
  for (const Bar& part : shares.at("2.0")) full += part.width;
  EXPECT_NEAR(full, 860, 0.5);
}

TEST(HtmlReport, HasPercentilesAndThroughputForEveryTransport) {
  const std::string page = HtmlReport(SmallCampaign());
  int curves = 0, dots = 0;
  for (const Element& e : Parsed(page)) {
    curves += e.name == "polyline" && HasClass(e, "curve");
    dots += HasClass(e, "dot");
  }
  EXPECT_EQ(curves, 2 + 2 + 2);  // two in the plot, two in each of the two legends
  EXPECT_EQ(dots, 4 + 3);        // one per repetition that is in the statistics
}

TEST(HtmlReport, WithoutACompleteRunIsStillAPage) {
  CampaignEvidence campaign = SmallCampaign();
  campaign.runs.clear();
  campaign.status = "failed";
  const std::string page = HtmlReport(campaign);
  Parsed(page);
  EXPECT_THAT(page, HasSubstr("No complete run: nothing to show."));
  EXPECT_THAT(page, HasSubstr("campaign_incomplete"));
}

TEST(HtmlReport, HostileTextStaysText) {
  const std::string hostile = "\"'><script>alert(1)</script><img src=\"http://x\">&\x01\x1b";
  CampaignEvidence campaign = SmallCampaign();
  campaign.name = campaign.run_id = campaign.server = campaign.version = hostile;
  campaign.started_utc = campaign.status = hostile;
  campaign.constants[hostile] = hostile;
  campaign.axes = {hostile, "transport"};
  for (CellInfo& cell : campaign.cells) {
    cell.levels.push_back({hostile, absl::StrCat(hostile, cell.index)});
    cell.levels[0].value += hostile;
  }
  for (RunEvidence& run : campaign.runs) {
    run.run_id = run.status_text = hostile;
    for (result::RunResult& agent : run.agents) {
      agent.set_agent(hostile);
      agent.mutable_ops(0)->set_op(hostile);
      agent.mutable_host()->set_hostname(hostile);
      agent.mutable_transport()->set_transport(hostile);
      (*agent.mutable_transport()->mutable_facts())[hostile] = hostile;
      result::Caveat* caveat = agent.add_caveats();
      caveat->set_code(hostile);
      caveat->set_text(hostile);
    }
  }
  const std::vector<Element> page = Parsed(HtmlReport(campaign));
  EXPECT_THAT(FetchedBy(page), IsEmpty());
  int scripts = 0;
  for (const Element& e : page) {
    scripts += e.name == "script";
    EXPECT_NE(e.name, "img");
    for (const auto& [name, value] : e.attributes) {
      EXPECT_FALSE(absl::StartsWith(name, "on")) << e.name << " " << name;
    }
  }
  EXPECT_EQ(scripts, 1);
}

TEST(Escape, LeavesNothingThatEndsTextOrAnAttribute) {
  EXPECT_EQ(Escape("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(Escape(absl::string_view("\0\x1b", 2)), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(Escape("\xc3\xa9\n"), "\xc3\xa9\n");
}

}  // namespace
}  // namespace kbench::analysis
