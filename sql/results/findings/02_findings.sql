-- applied_answers: the reviewers' latest answers that accept a case, as long as the evidence is what it was then.
create or replace table applied_answers as
with latest as (
    select
        *,
        row_number() over (
            partition by rule_id, subject_id, evidence_hash
            order by answer_number desc
        ) as position
    from adjudications
)

select
    a.rule_id,
    a.subject_id,
    a.answer,
    a.reason,
    a.reviewer,
    a.reviewed_on
from latest as a
inner join case_hashes as h
    on
        a.rule_id = h.rule_id
        and a.subject_id = h.subject_id
        and a.evidence_hash = h.evidence_hash
inner join judgements as j on a.rule_id = j.rule_id and a.subject_id = j.subject_id
where
    a.position = 1
    and a.answer in ('care-as-recommended', 'accepted-reason')
    and j.verdict = 'non_conformant';

-- findings: what the contract prints. Who never had HER2-positive invasive disease or a HER2 drug has no row. What a
-- reviewer has accepted is excepted with a reason of its own, so that every rate can be told before and after review.
create or replace view findings as
select
    j.rule_id,
    j.subject_id,
    j.patient_id,
    j.tumour_id,
    j.site_id,
    j.decision_date,
    j.due_date,
    case when a.rule_id is null then j.verdict else 'excepted' end as verdict,
    case when a.rule_id is null then j.reason else 'adjudicated' end as reason,
    j.missing,
    j.margin_days,
    case
        when a.rule_id is null then j.evidence
        else
            '{"adjudicated":'
            || cast(to_json(a.answer || ' by ' || a.reviewer || ' on ' || cast(a.reviewed_on as varchar)) as varchar)
            || case when j.evidence = '{}' then '' else ',' end
            || substr(j.evidence, 2)
    end as evidence
from judgements as j
left join applied_answers as a on j.rule_id = a.rule_id and j.subject_id = a.subject_id
where not (j.verdict = 'not_applicable' and j.reason in ('in-situ', 'her2-negative', 'no-her2-therapy'));
