-- Late-line agents are used within their stated prior-therapy conditions.
-- denominator: lines, HER2-positive, metastatic, with a late-line agent outside trials; one finding for each agent.
with agents as (
    select
        d.patient_key,
        d.episode_key,
        d.line_number,
        d.ingredient as agent,
        case when d.ingredient = 'neratinib' then greatest(d.first_date, c.first_date) else d.first_date end
            as agent_date
    from fct_line_drugs as d
    left join fct_line_drugs as c
        on d.episode_key = c.episode_key and d.line_number = c.line_number and c.ingredient = 'capecitabine'
    where
        d.ingredient in ('margetuximab', 'tucatinib', 'lapatinib', 'trastuzumab-deruxtecan')
        or (d.ingredient = 'neratinib' and c.ingredient is not null)
),

-- Other HER2-directed drugs of the same line are a regimen before the agent where they were begun well before it, or
-- the disease progressed on them.
beside as (
    select
        a.episode_key,
        a.line_number,
        a.agent,
        min(d.first_date) filter (where d.is_her2 and d.ingredient <> a.agent) as others_from,
        max(d.last_date) filter (where d.is_her2 and d.ingredient <> a.agent and d.first_date < a.agent_date)
            as others_until,
        bool_or(d.is_pertuzumab and d.first_date <= a.agent_date + $same_line_days) as with_pertuzumab,
        bool_or(d.ingredient = 'letrozole' and d.first_date <= a.agent_date + $same_line_days) as with_letrozole
    from agents as a
    inner join fct_line_drugs as d on a.episode_key = d.episode_key and a.line_number = d.line_number
    group by
        a.episode_key,
        a.line_number,
        a.agent
),

ever_before as (
    select
        a.episode_key,
        a.line_number,
        bool_or(i.is_anthracycline) and bool_or(s.is_taxane) and bool_or(s.is_trastuzumab) as all_three
    from agents as a
    inner join fct_drug_spans as s on a.patient_key = s.patient_key
    inner join ingredients as i on s.ingredient = i.ingredient
    where a.agent = 'lapatinib' and s.first_dose_date < a.agent_date
    group by
        a.episode_key,
        a.line_number
),

earlier_drugs as (
    select
        episode_key,
        line_number,
        list_sort(list(
            ingredient || ' from ' || cast(first_date as varchar)
            || case when in_early_disease then ', early disease' else ', metastatic disease' end
        )) as earlier_her2_drugs
    from fct_prior_her2
    group by
        episode_key,
        line_number
),

counted as (
    select
        l.*,
        a.agent,
        a.agent_date,
        coalesce(b.others_until < a.agent_date, false) as others_replaced,
        cast(a.agent_date + $same_line_days as date) as companions_by,
        b.with_pertuzumab,
        b.with_letrozole,
        coalesce(e.all_three, false) as all_three_before,
        case
            when b.others_from + $same_line_days < a.agent_date then 1
            when b.others_from < a.agent_date and l.progression_date between b.others_from and a.agent_date then 1
            else 0
        end as regimens_of_the_line,
        l.prior_metastatic_regimens + regimens_of_the_line as metastatic_regimens,
        l.prior_her2_regimens + regimens_of_the_line as all_regimens,
        a.agent = 'lapatinib'
        or (
            a.agent = 'trastuzumab-deruxtecan'
            and l.line_number = 1
            and a.agent_date >= $deruxtecan_pertuzumab_from
        ) as companion_may_come,
        p.earlier_her2_drugs,
        m.relapsed_early,
        n.cns_date is not null as in_the_brain
    from agents as a
    inner join fct_lines as l on a.episode_key = l.episode_key and a.line_number = l.line_number
    inner join fct_line_numbers as m
        on l.episode_key = m.episode_key and l.line_number = m.line_number and m.early_relapse = $early_relapse
    inner join beside as b
        on a.episode_key = b.episode_key and a.line_number = b.line_number and a.agent = b.agent
    left join ever_before as e on a.episode_key = e.episode_key and a.line_number = e.line_number
    left join earlier_drugs as p on a.episode_key = p.episode_key and a.line_number = p.line_number
    left join fct_cns as n on a.patient_key = n.patient_key and l.start_date + $same_line_days >= n.cns_date
    -- A drug begun after the join window may still turn out to begin the next line.
    where
        a.agent_date <= l.start_date + $same_line_days
        or a.agent_date + $same_line_days <= l.observable_through
),

judged as (
    select
        *,
        case
            when
                agent = 'margetuximab'
                and all_regimens >= $margetuximab_prior
                and metastatic_regimens >= $metastatic_prior then 'after-prior-therapy'
            when
                agent = 'neratinib'
                and all_regimens >= $neratinib_prior
                and metastatic_regimens >= $metastatic_prior then 'after-prior-therapy'
            when agent = 'tucatinib' and metastatic_regimens >= $tucatinib_prior then 'after-prior-therapy'
            when agent = 'tucatinib' and relapsed_early and in_the_brain then 'early-relapse'
            when agent = 'lapatinib' and all_three_before then 'after-prior-therapy'
            when agent = 'lapatinib' and with_letrozole and hr_status = 'positive' then 'with-letrozole'
            when agent <> 'trastuzumab-deruxtecan' then null
            when metastatic_regimens >= $deruxtecan_prior_late then 'after-prior-therapy'
            when agent_date < $deruxtecan_second_line_from then null
            when metastatic_regimens >= $deruxtecan_prior then 'after-prior-therapy'
            when relapsed_early then 'early-relapse'
            when companion_may_come and with_pertuzumab then 'with-pertuzumab'
        end as met
    from counted
)

select
    'line-' || cast(line_number as varchar) || '/' || agent as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    case agent
        when 'trastuzumab-deruxtecan' then 'deruxtecan'
        when 'lapatinib' then 'default'
        else agent
    end as edition,
    agent_date as decision_date,
    case when companion_may_come then companions_by else agent_date end as due_date,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    date '0001-01-01' as drugs_from,
    case when companion_may_come then companions_by else agent_date end as drugs_through,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when in_trial then 'trial'
    end as excluded,
    case
        when met is not null then null
        when
            clock = 'unclear'
            and (
                (agent = 'tucatinib' and in_the_brain)
                or (agent = 'trastuzumab-deruxtecan' and agent_date >= $deruxtecan_second_line_from)
            ) then 'interval-unclear'
        when
            agent = 'tucatinib' and (relapsed_early or clock = 'unclear') and not $radiotherapy_linked
            then 'brain-unknown'
        when agent = 'lapatinib' and with_letrozole and hr_status = 'unknown' then 'hr-unknown'
        when companion_may_come and companions_by > observable_through then null
        when not number_certain or others_replaced or agent_date > start_date + $same_line_days then 'line-uncertain'
    end as missing_reason,
    case missing_reason
        when 'interval-unclear' then ['treatments.end_date']
        when 'brain-unknown' then ['radiotherapy']
        when 'hr-unknown' then ['tumours.er_status', 'tumours.pr_status']
        else ['events.event_date']
    end as missing,
    met,
    [agent] as lacking,
    'prior-therapy-not-recorded' as failed,
    to_json(struct_pack(
        agent := agent,
        first_date_in_line := agent_date,
        line_start_date := start_date,
        her2_regimens_before_for_metastatic_disease := metastatic_regimens,
        her2_regimens_before := all_regimens,
        earlier_her2_drugs := earlier_her2_drugs,
        interval_zone := clock,
        drugs_of_the_line := drugs,
        hr_status := hr_status,
        line_certainty := certainty,
        her2_at_line := her2_at_line,
        her2_specimen_date := her2_specimen_date
    )) as evidence
from judged
