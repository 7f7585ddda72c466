-- The one place where a rule's inputs become one of six verdicts, in the order of the contract.
-- What a rule does not concern goes to placed_exclusions, the rest to placed_judgements: a row a subject and placement
-- of its imprecise dates; evidence begins with what the judgement itself rests on.
create or replace temp view considered as
select
    v.*,
    v.tumour_id || coalesce('/' || v.subject_part, '') as subject_id,
    case
        when v.excluded is not null then v.excluded
        when v.decision_date < coalesce(e.since, date '9999-12-31') then 'not-in-force'
    end as not_applicable,
    coalesce(v.perhaps_decided_from < e.since, false) as perhaps_not_in_force
from verdict_inputs as v
left join rule_editions as e on coalesce(v.edition, 'default') = e.edition;

insert into placed_exclusions
select
    $rule_id,
    subject_part,
    patient_key,
    tumour_id,
    site_id,
    decision_date,
    not_applicable
from considered
where not_applicable is not null;

insert into placed_judgements
with seen as (
    select
        c.*,
        coalesce(c.open_until, c.due_date) as settled_after,
        p.patient_id,
        p.observable_through,
        p.last_contact_date,
        p.transfer_in_date,
        p.transfer_out_date
    from considered as c
    inner join stg_patients as p on c.patient_key = p.patient_key
    where c.not_applicable is null
),

-- What reasons, interruptions and doubts can still decide: most cases are settled before one of them is asked for.
unsettled as (
    select
        patient_key,
        subject_id,
        episode_key,
        lacking,
        clock_start,
        due_date,
        observed_from,
        drugs_from,
        drugs_through,
        doubted_drugs,
        localised_through
    from considered
    where
        not_applicable is null
        and missing_reason is null
        and met is null
),

documented as (
    select
        s.patient_key,
        s.subject_id,
        min(x.reason) as reason,
        min(x.row_number) as row_number
    from unsettled as s
    inner join stg_exceptions as x on s.patient_key = x.patient_key
    inner join rule_topics as t on x.topic_name = t.topic and x.reason = coalesce(t.reason, x.reason)
    inner join rule_reasons as r on x.reason = r.reason
    left join fct_episodes as o on x.patient_key = o.patient_key and x.tumour_id = o.tumour_id
    where
        (x.tumour_id is null or o.episode_key = s.episode_key)
        and (s.lacking is null or list_contains(s.lacking, t.part))
    group by
        s.patient_key,
        s.subject_id
),

interruptions as (
    select
        s.patient_key,
        s.subject_id,
        i.kind,
        i.event_date,
        row_number() over (
            partition by s.patient_key, s.subject_id
            order by i.event_date, k.priority
        ) as position
    from unsettled as s
    inner join fct_interruptions as i on s.episode_key = i.episode_key
    inner join rule_interruptions as k on replace(i.kind, 'later-primary', 'second-primary') = k.kind
    where i.event_date >= s.clock_start and i.event_date < s.due_date
),

doubts as (
    select
        s.patient_key,
        s.subject_id,
        d.table_name,
        d.row_number,
        d.column_name,
        d.reason,
        row_number() over (
            partition by s.patient_key, s.subject_id
            order by d.reason, d.table_name, d.row_number
        ) as position,
        count(*) over (partition by s.patient_key, s.subject_id) as doubt_count
    from unsettled as s
    inner join fct_doubts as d on s.patient_key = d.patient_key
    where
        coalesce(d.episode_key, s.episode_key) = s.episode_key
        and (s.doubted_drugs is null or d.ingredient is null or list_contains(s.doubted_drugs, d.ingredient))
        -- A recurrence matters to a rule that it interrupts, whichever table shows it.
        and (
            d.reason = 'unrecorded-recurrence'
            or d.table_name in (select t.table_name from rule_tables as t)
        )
        and (
            d.reason in (
                'quarantined-row', 'unlinked-row', 'unrecognised-topic', 'unspecified-surgery', 'unspecified-event'
            )
            or (
                d.reason in ('undated-row', 'unrecognised-reason')
                and (
                    d.table_name <> 'treatments'
                    or (
                        $needs_any_drug
                        and (d.ingredient is null or d.ingredient in (select g.ingredient from rule_drugs as g))
                    )
                )
            )
            or (
                d.reason = 'unrecorded-recurrence'
                and d.table_name <> 'treatments'
                and d.start_date <= s.localised_through
            )
            or (
                -- What shows a metastasis before the clock starts shows that the disease was never localised.
                (
                    (d.reason = 'unrecorded-recurrence' and d.table_name <> 'treatments')
                    or (
                        d.reason in ('palliative-treatment', 'unrecorded-recurrence') and d.start_date >= s.clock_start
                    )
                )
                and s.clock_start is not null
                and d.start_date < s.due_date
                and 'recurrence' in (select i.kind from rule_interruptions as i)
            )
            or (
                d.reason in ('unrecognised-drug', 'names-another-tumour', 'zero-dose', 'unrecorded-neoadjuvant')
                and (d.ingredient is null or d.ingredient in (select g.ingredient from rule_drugs as g))
                and d.start_date <= s.drugs_through
                and d.end_date >= coalesce(s.drugs_from, s.observed_from)
            )
        )
),

weighed as (
    select
        s.*,
        case
            when x.reason in ('drug-unavailable', 'funding-restriction') then coalesce(s.unavailable, x.reason)
            else x.reason
        end as documented_reason,
        x.row_number as documented_row,
        i.event_date as interrupted_on,
        case i.kind
            when 'death' then 'death-before-due'
            when 'recurrence' then 'recurrence-before-due'
            when 'later-primary' then 'second-primary'
            else i.kind
        end as interruption,
        d.reason as doubt,
        d.table_name as doubt_table,
        d.row_number as doubt_row,
        d.column_name as doubt_column,
        d.doubt_count,
        coalesce($guard_stream, g.stream) as unlinked_stream
    from seen as s
    left join documented as x on s.patient_key = x.patient_key and s.subject_id = x.subject_id
    left join interruptions as i
        on s.patient_key = i.patient_key and s.subject_id = i.subject_id and i.position = 1
    left join doubts as d on s.patient_key = d.patient_key and s.subject_id = d.subject_id and d.position = 1
    left join gated_sites as g
        on g.rule_id = $rule_id and g.gated and s.site_id is not distinct from g.site_id
),

decided as (
    select
        *,
        case
            when missing_reason is not null then 'not_evaluable'
            when met is not null then 'conformant'
            when coalesce(excepted, documented_reason, interruption) is not null then 'excepted'
            when settled_after > observable_through then 'pending'
            when unlinked_stream is not null then 'not_evaluable'
            when transfer_in_date > observed_from then 'not_evaluable'
            when perhaps_not_in_force then 'not_evaluable'
            when doubt is not null then 'not_evaluable'
            else 'non_conformant'
        end as verdict
    from weighed
)

select
    $rule_id,
    subject_id,
    patient_key,
    patient_id,
    tumour_id,
    site_id,
    decision_date,
    due_date,
    verdict,
    case verdict
        when 'conformant' then met
        when 'excepted' then coalesce(excepted, documented_reason, interruption)
        when 'pending'
            then
                case
                    when
                        last_contact_date + $lost_contact_days < $cutoff
                        and last_contact_date + $lost_contact_days < due_date then 'lost-to-follow-up'
                    when transfer_out_date = observable_through and observable_through < $cutoff then 'transferred-out'
                    else 'not-yet-due'
                end
        when 'not_evaluable'
            then
                case
                    when missing_reason is not null then missing_reason
                    when unlinked_stream is not null then 'stream-not-linked'
                    when transfer_in_date > observed_from then 'transferred-in'
                    when perhaps_not_in_force then 'undated-row'
                    else doubt
                end
        else failed
    end as reason,
    case
        when verdict <> 'not_evaluable' then cast(null as varchar[])
        when missing_reason is not null then missing
        when unlinked_stream is not null then [unlinked_stream]
        when transfer_in_date > observed_from then ['patients.transfer_in_date']
        when perhaps_not_in_force then ['treatments.start_date']
        else [doubt_table || '.' || doubt_column]
    end as missing,
    case
        when verdict in ('conformant', 'pending', 'non_conformant', 'excepted')
            then coalesce(
                margin_days,
                case
                    when verdict = 'pending' or (verdict = 'non_conformant' and $has_window)
                        then date_diff('day', observable_through, due_date)
                end
            )
    end as margin_days,
    case
        when evidence is null then '{}'
        when verdict = 'excepted' and excepted is null and documented_reason is not null
            then '{"documented_in":"exceptions row ' || cast(documented_row as varchar) || '",' || substr(evidence, 2)
        when verdict = 'excepted' and excepted is null
            then
                '{"ended_by":"'
                || interruption
                || ' on '
                || cast(interrupted_on as varchar)
                || '",'
                || substr(evidence, 2)
        when verdict = 'not_evaluable' and missing_reason is null and doubt is not null
            then
                '{"undecided_by":"'
                || doubt
                || ': '
                || doubt_table
                || ' row '
                || cast(doubt_row as varchar)
                || ', column '
                || coalesce(doubt_column, 'unknown') || ' (' || cast(doubt_count as varchar) || ' such)",'
                || substr(evidence, 2)
        when verdict in ('pending', 'non_conformant')
            then
                '{"observable_through":"' || cast(observable_through as varchar) || '",' || substr(evidence, 2)
        else evidence
    end as evidence
from decided;
