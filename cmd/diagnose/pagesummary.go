package diagnose

import (
	"slices"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// outcome is what a diagnosis comes to, over all tokens. Certificates of issuers do not count.
type outcome struct {
	counts map[string]int              // by rating
	first  map[string][]verdict.Reason // of each rating, the reasons that decided
	held   []view.Identity             // with a certificate, and a key that cannot leave
	keys   int
}

func outcomeOf(shown diagnosisView) outcome {
	o := outcome{counts: map[string]int{}, first: map[string][]verdict.Reason{}}
	for _, t := range shown.Tokens {
		for _, i := range view.Order(t.Identities) {
			identity := t.Identities[i]
			rating := ratingOf(identity)
			o.counts[rating]++
			if rating != view.RatingNone && (identity.PrivateKey != nil || identity.Verdict.Exportable == nil) {
				o.keys++
			}
			if len(identity.Verdict.Reasons) > 0 {
				o.first[rating] = append(o.first[rating], identity.Verdict.Reasons[0])
			}
			if rating == view.RatingBad && identity.Certificate != nil {
				o.held = append(o.held, identity)
			}
		}
	}
	return o
}

// rating is one light for everything: green where every key can leave, red where none can.
func (o outcome) rating() string {
	good, bad := o.counts[view.RatingGood], o.counts[view.RatingBad]
	switch {
	case good > 0 && good == o.keys:
		return view.RatingGood
	case bad > 0 && bad == o.keys:
		return view.RatingBad
	}
	return view.RatingDoubt
}

// summaryOf is the first screen: whether the keys can be backed up, why, and what to do now; and what the issuer is to be told.
func summaryOf(a *frame.App, shown diagnosisView) view.PageSummary {
	o := outcomeOf(shown)
	s := view.PageSummary{Rating: o.rating(), Sentences: o.sentences(a), Title: a.Text("page.issuer.title", nil)}
	for _, rating := range []string{view.RatingGood, view.RatingDoubt, view.RatingBad} {
		s.Ratings = append(s.Ratings, view.PageRating{Rating: rating, Count: o.counts[rating], Text: a.Text("page.rating."+rating, messages.Args{"Count": messages.Number(o.counts[rating])})})
	}
	if len(o.held) == 0 {
		s.Message.Text = a.Text("page.issuer.nothing", nil)
		return s
	}
	const most = 3 // more would push the rest from the screen
	s.Message.Text = a.Text("page.issuer.ask", messages.Args{"Count": messages.Number(len(o.held))})
	for _, identity := range o.held[:min(most, len(o.held))] {
		c := identity.Certificate
		s.Message.About = append(s.Message.About, a.Text("page.issuer.certificate", messages.Args{
			"Subject": view.NameText(a, c.Subject), "Serial": foreign.Text(c.Serial), "Issuer": view.NameText(a, c.Issuer), "Until": messages.Own(a.UntilOf(c.NotAfter)),
		}))
	}
	if more := len(o.held) - most; more > 0 {
		s.Message.About = append(s.Message.About, a.Text("page.issuer.more", messages.Args{"Count": messages.Number(more)}))
	}
	return s
}

// sentences are three: the answer, the reason that decided most often, and what to do now.
func (o outcome) sentences(a *frame.App) []string {
	good, bad := o.counts[view.RatingGood], o.counts[view.RatingBad]
	counted := messages.Args{"Count": messages.Number(good), "All": messages.Number(o.keys)}
	switch {
	case good > 0 && good == o.keys:
		return []string{a.Text("page.answer.all", counted), a.Text("page.reason.only-copy", nil), a.Text("page.now.back-up", nil)}
	case good > 0 && bad > 0:
		return []string{a.Text("page.answer.some", counted), o.because(a, view.RatingBad), a.Text("page.now.back-up", nil)}
	case good > 0:
		return []string{a.Text("page.answer.some", counted), o.because(a, view.RatingDoubt), a.Text("page.now.back-up", nil)}
	case bad > 0 && bad == o.keys:
		return []string{a.Text("page.answer.none", messages.Args{"Count": messages.Number(bad)}), o.because(a, view.RatingBad), a.Text("page.now.keep", nil)}
	case bad > 0:
		partly := a.Text("page.answer.partly", messages.Args{"Count": messages.Number(bad), "All": messages.Number(o.keys)})
		return []string{partly, o.because(a, view.RatingBad), a.Text("page.now.keep", nil)}
	case o.keys > 0:
		most := o.most(view.RatingDoubt)
		return append([]string{a.Text("page.answer.unknown", nil), a.ReasonText(most, "summary")}, a.Steps(most)[:1]...)
	}
	return []string{a.Text("page.answer.no-key", nil), a.Text("page.reason.no-key", nil), a.Text("page.now.doctor", nil)}
}

// because says the reason that decided most often in a rating.
func (o outcome) because(a *frame.App, rating string) string {
	most, id := o.most(rating), "page.reason.one"
	if slices.ContainsFunc(o.first[rating], func(reason verdict.Reason) bool { return reason.Code != most.Code }) {
		id = "page.reason.most"
	}
	return a.Text(id, messages.Args{"Reason": messages.Own(a.ReasonText(most, "summary"))})
}

// most is the reason that decided most often in a rating, the first of those that did equally often.
func (o outcome) most(rating string) verdict.Reason {
	times := map[verdict.Code]int{}
	for _, reason := range o.first[rating] {
		times[reason.Code]++
	}
	var most verdict.Reason
	for _, reason := range o.first[rating] {
		if times[reason.Code] > times[most.Code] {
			most = reason
		}
	}
	return most
}
